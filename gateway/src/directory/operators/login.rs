//! What happens when somebody says to be an operator: the right password comes in, a wrong one is counted under its
//! name and its address, and nobody learns which names there are.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use zeroize::Zeroizing;

use super::Operator;
use super::lockout::{self, Failures};
use crate::app::App;
use crate::limits::Refusal;

/// Why somebody does not come in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No such operator, disabled, or another password: nobody is told which.
    #[error("name or password is wrong")]
    Wrong,
    /// This name or this address has failed too often.
    #[error("too many failed logins")]
    TooMany(Duration),
    #[error("too many passwords are being checked")]
    Busy,
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// Whoever knows the password of `name` comes in. A task of its own: who hangs up after a wrong one has failed all
/// the same.
pub async fn log_in(
    app: &Arc<App>,
    name: String,
    password: Zeroizing<String>,
    address: IpAddr,
) -> Result<Operator, LoginError> {
    let task = app.tasks.spawn(attempt(app.clone(), name, password, address));
    task.await.unwrap_or_else(|error| Err(LoginError::Failed(error.into())))
}

async fn attempt(
    app: Arc<App>,
    name: String,
    password: Zeroizing<String>,
    address: IpAddr,
) -> Result<Operator, LoginError> {
    let too_many = |refusal: Refusal| LoginError::TooMany(refusal.wait);
    app.limits.authentication(address).map_err(too_many)?;
    // Held to the end, so that guesses made side by side see each other's failures.
    let place = app.passwords.place().await.ok_or(LoginError::Busy)?;
    let now = app.clock.now_ms();
    let failures = Failures::of(&app.store.read, &name, now).await.context("looking for failed logins")?;
    if let Some(wait) = failures.locked(now) {
        return Err(LoginError::TooMany(wait));
    }
    let row = super::named(&app, &name).await.context("looking for an operator")?;
    let row = row.filter(|row| row.disabled_at.is_none());
    let hash = row.as_ref().map(|row| row.password_hash.clone());
    let verified = place.verifies(password, hash).await?;
    let Some(row) = row.filter(|_| verified) else {
        let counted = app.limits.failed_authentication(address);
        super::write(&app, vec![lockout::one_more(&name, now)]).await.context("counting a failed login")?;
        counted.map_err(too_many)?;
        return Err(LoginError::Wrong);
    };
    if let Some(forgive) = failures.forgive(&name, now) {
        super::write(&app, vec![forgive]).await.context("forgetting failed logins")?;
    }
    Ok(super::operator_of(&app, row).await?)
}

/// Housekeeping: forget failures that count no more.
pub async fn sweep(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now_ms();
    if lockout::any_to_forget(&app.store.read, now).await? {
        super::write(app, vec![lockout::forget(now)]).await?;
    }
    Ok(())
}
