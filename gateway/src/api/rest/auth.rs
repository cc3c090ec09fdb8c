//! Who calls: `Authorization: Bearer` and an API key. Every reason not to know a caller is answered alike.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::header;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaOAuthScope, MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, OAuthScopes};

use crate::app::App;
use crate::directory::access::{Caller, Scope, Unproven};
use crate::directory::api_keys;
use crate::error::Error;

const SCHEME: &str = "apiKey";

const DESCRIPTION: &str = "An API key: `Authorization: Bearer sg_test_…` or `sg_live_…`. It is shown once, when it is \
    made. Missing, mistyped, unknown, revoked, expired and tampered keys all get the same 401; a key that is good but \
    lacks the scope gets 403; what belongs to another tenant gets 404 like what does not exist.";

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some(DESCRIPTION),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(SCHEME, scheme);
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
        let caller = bearer(request).and_then(|credential| proven(app, credential, address(request)));
        caller.map_err(|reason| Error::Unauthorized(reason).into())
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

/// What stands behind `Authorization: Bearer`.
fn bearer(request: &Request) -> Result<&str, Unproven> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION).iter();
    let header = headers.next().ok_or(Unproven::Missing)?.to_str().map_err(|_| Unproven::Foreign)?;
    if headers.next().is_some() {
        return Err(Unproven::Foreign);
    }
    let (scheme, credential) = header.split_once(' ').ok_or(Unproven::Foreign)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(credential.trim()) } else { Err(Unproven::Foreign) }
}

/// The caller that a credential proves.
fn proven(app: &App, credential: &str, address: IpAddr) -> Result<Caller, Unproven> {
    let hash = api_keys::hash_of(credential)?;
    let key = app.directory.api_key(&hash).ok_or(Unproven::Unknown)?;
    key.proves(address, app.clock.now_ms())
}

/// Where a request came from: the other end of its connection.
fn address(request: &Request) -> IpAddr {
    let address = request.remote_addr().as_socket_addr().map(std::net::SocketAddr::ip);
    // Connections of this process to itself have no address.
    address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}
