//! Which operator calls: `Authorization: Bearer` and the token that logging in has given. Who that is, with what role
//! and scope, is looked up anew at each call, so that a change takes effect at once.

use std::net::IpAddr;
use std::sync::Arc;

use poem::{Request, RequestBody};
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::api::edge::address::client_address;
use crate::api::rest::{bearer, bearer_scheme, limited};
use crate::app::App;
use crate::directory::access::Unproven;
use crate::directory::acts::Actor;
use crate::directory::operators::{self, Operator, Role};
use crate::directory::tokens::{Audience, Claims};
use crate::error::Error;

const SCHEME: &str = "operator";

const DESCRIPTION: &str = "The token that `POST /ops/v1/login` gives, good for 15 minutes: `Authorization: Bearer …`. \
    Missing, expired, revoked and tampered ones all get the same 401; a role that may not do it gets 403; what is not \
    in the operator's scope gets 404 like what does not exist.";

/// An operator whose token was proven.
pub struct LoggedIn {
    pub operator: Operator,
    pub claims: Claims,
    pub address: IpAddr,
}

impl LoggedIn {
    pub fn must_be(&self, role: Role) -> Result<(), Error> {
        if self.operator.role >= role { Ok(()) } else { Err(Error::RoleMissing(role)) }
    }

    /// As what this operator changes is noted.
    pub fn actor(&self) -> Actor {
        Actor::Operator { id: self.operator.id.clone(), address: self.address }
    }

    /// Whether what belongs to this platform is in scope.
    pub fn sees(&self, platform_id: &str) -> bool {
        self.operator.platform.as_ref().is_none_or(|bound| bound.id == platform_id)
    }

    /// For what concerns more than one platform.
    pub fn must_see_all(&self) -> Result<(), Error> {
        if self.operator.platform.is_none() { Ok(()) } else { Err(Error::BoundToPlatform) }
    }
}

impl<'a> ApiExtractor<'a> for LoggedIn {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(SCHEME, bearer_scheme(DESCRIPTION, Some("JWT")));
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let app: &Arc<App> = request.data().expect("every route of /ops is given the app");
        let address = client_address(request);
        let unproven = |reason| limited::unproven(app, reason, address);
        let claims = bearer(request).and_then(|token| checked(app, token)).map_err(unproven)?;
        match operators::find(app, &claims.sub).await.map_err(Error::Failed)? {
            Some(operator) => Ok(Self { operator, claims, address }),
            None => Err(unproven(Unproven::Unknown).into()),
        }
    }
}

fn checked(app: &App, token: &str) -> Result<Claims, Unproven> {
    app.tokens.check(token, Audience::Operators, app.clock.now_ms()).map_err(Unproven::Token)
}
