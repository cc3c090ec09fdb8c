//! Who calls: `Authorization: Bearer` and an API key, or a token that stands for one. Every reason not to know a caller is answered alike.

use std::net::IpAddr;
use std::sync::Arc;

use http::header;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaOAuthScope, MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, OAuthScopes};

use super::limited;
use crate::api::edge::address::client_address;
use crate::app::App;
use crate::directory::access::{Caller, Credential, Scope, Scopes, Unproven};
use crate::directory::api_keys;
use crate::directory::tokens::Audience;

const SCHEME: &str = "apiKey";

const DESCRIPTION: &str = "An API key: `Authorization: Bearer sg_test_…` or `sg_live_…`. It is shown once, when it is \
    made. A token of `POST /v1/token` goes in its place, for 15 minutes. Missing, mistyped, unknown, revoked, expired and tampered keys all get the same 401; a key that is good but \
    lacks the scope gets 403; what belongs to another tenant gets 404 like what does not exist.";

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(SCHEME, bearer_scheme(DESCRIPTION, None));
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let app: &Arc<App> = request.data().expect("every route of /v1 is given the app");
        let address = client_address(request);
        match bearer(request).and_then(|credential| proven(app, credential, address)) {
            Ok(caller) => Ok(limited::admit(app, request, caller).await?),
            Err(reason) => Err(limited::unproven(app, reason, address).into()),
        }
    }
}

impl OAuthScopes for Scope {
    fn meta() -> Vec<MetaOAuthScope> {
        Self::ALL.iter().map(|scope| MetaOAuthScope { name: scope.as_str(), description: None }).collect()
    }

    fn name(&self) -> &'static str {
        self.as_str()
    }
}

/// How the contracts say that callers send a bearer credential.
pub fn bearer_scheme(description: &'static str, format: Option<&'static str>) -> MetaSecurityScheme {
    MetaSecurityScheme {
        ty: "http",
        description: Some(description),
        name: None,
        key_in: None,
        scheme: Some("bearer"),
        bearer_format: format,
        flows: None,
        openid_connect_url: None,
    }
}

/// What stands behind `Authorization: Bearer`.
pub fn bearer(request: &Request) -> Result<&str, Unproven> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION).iter();
    let header = headers.next().ok_or(Unproven::Missing)?.to_str().map_err(|_| Unproven::Foreign)?;
    if headers.next().is_some() {
        return Err(Unproven::Foreign);
    }
    let (scheme, credential) = header.split_once(' ').ok_or(Unproven::Foreign)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(credential.trim()) } else { Err(Unproven::Foreign) }
}

/// A token proves what the API key proves that it stands for, with the scopes it was given.
fn proven_by_token(app: &App, token: &str, address: IpAddr, now: i64) -> Result<Caller, Unproven> {
    let claims = app.tokens.check(token, Audience::Api, now).map_err(Unproven::Token)?;
    let key = app.directory.api_key_by_id(&claims.sub).ok_or(Unproven::Unknown)?;
    let caller = key.proves(address, now)?;
    let scopes = Scopes::parse(&claims.scope).iter().filter(|scope| caller.scopes.has(*scope)).collect();
    Ok(Caller { scopes, credential: Credential::Token(claims.sub), ..caller })
}

/// The caller that a credential proves.
fn proven(app: &App, credential: &str, address: IpAddr) -> Result<Caller, Unproven> {
    let now = app.clock.now_ms();
    // No API key has a dot, and every token two.
    if credential.contains('.') {
        return proven_by_token(app, credential, address, now);
    }
    let hash = api_keys::hash_of(credential)?;
    let key = app.directory.api_key(&hash).ok_or(Unproven::Unknown)?;
    key.proves(address, now)
}
