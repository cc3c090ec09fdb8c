//! Tokens that count no more although they have not ended: single ones, and all that a credential had until a moment.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};

use super::{Claims, LIFETIME, ms};
use crate::entity::token_revocation::{Column, Entity, Model};
use crate::ledger::RowStatement;

const TOKEN: &str = "token";
const CREDENTIAL: &str = "credential";

#[derive(Default)]
pub struct Revocations {
    tokens: HashSet<String>,
    /// Credential → the moment; tokens made until then are revoked.
    credentials: HashMap<String, i64>,
    /// When the first of them need not be remembered any longer.
    first_over_at: Option<i64>,
}

impl Revocations {
    pub async fn load(read: &DatabaseConnection) -> Result<Self, DbErr> {
        Ok(Self::of(Entity::find().all(read).await?))
    }

    fn of(rows: Vec<Model>) -> Self {
        let mut all = Self { first_over_at: rows.iter().map(|row| row.expires_at).min(), ..Self::default() };
        for row in rows {
            if row.kind == TOKEN {
                all.tokens.insert(row.subject);
            } else {
                all.credentials.insert(row.subject, row.revoked_at);
            }
        }
        all
    }

    pub fn cover(&self, claims: &Claims, made_at: i64) -> bool {
        self.tokens.contains(&claims.jti)
            || self.credentials.get(&claims.sub).is_some_and(|until| made_at <= *until)
    }

    /// What removes those whose tokens have all ended, if there are any.
    pub fn forget(&self, now: i64) -> Option<RowStatement> {
        if self.first_over_at.is_none_or(|at| now < at) {
            return None;
        }
        let delete =
            Query::delete().from_table(Entity).and_where(Expr::col(Column::ExpiresAt).lte(now)).to_owned();
        Some(RowStatement::Delete(delete))
    }
}

pub fn of_token(claims: &Claims, now: i64) -> RowStatement {
    write(TOKEN, &claims.jti, now, Ord::max(claims.exp.saturating_mul(1000), now))
}

pub fn of_credential(credential: &str, now: i64) -> RowStatement {
    // Up to a second more than the lifetime: tokens end on whole seconds.
    write(CREDENTIAL, credential, now, now.saturating_add(ms(LIFETIME)).saturating_add(1000))
}

/// A later one of the same credential takes the place of an earlier one.
fn write(kind: &str, subject: &str, now: i64, expires_at: i64) -> RowStatement {
    let insert = Query::insert()
        .into_table(Entity)
        .columns([Column::Kind, Column::Subject, Column::RevokedAt, Column::ExpiresAt])
        .values_panic([kind.into(), subject.into(), now.into(), expires_at.into()])
        .on_conflict(
            OnConflict::columns([Column::Kind, Column::Subject])
                .update_columns([Column::RevokedAt, Column::ExpiresAt])
                .to_owned(),
        )
        .to_owned();
    RowStatement::Insert(insert)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: &str, subject: &str, revoked_at: i64, expires_at: i64) -> Model {
        Model { kind: kind.to_owned(), subject: subject.to_owned(), revoked_at, expires_at }
    }

    fn claims(jti: &str, sub: &str) -> Claims {
        let text = |text: &str| text.to_owned();
        Claims {
            iss: text("us"),
            aud: text("them"),
            sub: text(sub),
            jti: text(jti),
            iat: 0,
            exp: 900,
            scope: String::new(),
            role: None,
            auth_time: None,
        }
    }

    #[test]
    fn a_credentials_tokens_are_covered_up_to_the_moment_and_a_single_one_alone() {
        let all = Revocations::of(vec![row(CREDENTIAL, "c1", 1000, 2000), row(TOKEN, "t1", 1000, 3000)]);
        assert!(all.cover(&claims("t2", "c1"), 1000));
        assert!(!all.cover(&claims("t2", "c1"), 1001));
        assert!(all.cover(&claims("t1", "c2"), 1));
        assert!(!all.cover(&claims("c1", "t1"), 1), "one kind is not taken for the other");
    }

    #[test]
    fn nothing_is_forgotten_before_its_tokens_have_ended() {
        let all = Revocations::of(vec![row(TOKEN, "t1", 1000, 3000), row(TOKEN, "t2", 1000, 4000)]);
        assert!(all.forget(2999).is_none());
        assert!(all.forget(3000).is_some());
        assert!(Revocations::default().forget(i64::MAX).is_none());
    }
}
