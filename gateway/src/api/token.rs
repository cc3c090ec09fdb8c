//! `POST /v1/token`: an API key for a short-lived token (OAuth 2, client credentials). The token does what its key
//! does and no more, and ends with it: the key is looked up at every use.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use http::{StatusCode, header};
use poem::web::Data;
use poem::{IntoResponse, Request, Response};
use poem_openapi::payload::{Form, Json};
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::{Example, Type};
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, Tags};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::edge::address::client_address;
use super::rest::{Problem, any_other};
use crate::app::App;
use crate::directory::access::{Caller, Scope, Scopes};
use crate::directory::api_keys;
use crate::directory::tokens::{Audience, Grant, LIFETIME};
use crate::error::whole_seconds;
use crate::limits;

const CHALLENGE: &str = "Basic realm=\"scangate\"";

#[derive(Tags)]
enum Group {
    /// Short-lived tokens in place of API keys, for programs that should not hold a key.
    Tokens,
}

/// A token wanted, as OAuth 2 has it (RFC 6749, section 4.4). The key's id and the key may also come in
/// `Authorization: Basic`.
#[derive(Object, Deserialize)]
#[oai(example, skip_serializing_if_is_none)]
struct TokenRequest {
    /// `client_credentials`, the only one there is.
    #[oai(validator(max_length = 64))]
    grant_type: Option<String>,
    /// The API key's id.
    #[oai(validator(max_length = 64))]
    client_id: Option<String>,
    /// The API key.
    #[oai(validator(max_length = 128))]
    client_secret: Option<String>,
    /// Scopes with blanks between, some of the key's own; absent: all of them.
    #[oai(validator(max_length = 1024))]
    scope: Option<String>,
}

/// A token.
#[derive(Object)]
struct GrantedToken {
    /// For `Authorization: Bearer`.
    access_token: String,
    /// `Bearer`
    token_type: String,
    /// Seconds that it is good for.
    #[oai(validator(minimum(value = "1")))]
    expires_in: u64,
    /// The scopes it has, with blanks between.
    scope: String,
}

/// Why there is no token, as OAuth 2 names it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum Reason {
    InvalidRequest,
    InvalidClient,
    UnsupportedGrantType,
    InvalidScope,
    TemporarilyUnavailable,
}

/// Why there is no token.
#[derive(Object)]
struct TokenProblem {
    error: Reason,
    /// For people.
    error_description: String,
}

#[derive(ApiResponse)]
enum TokenReply {
    /// A token.
    #[oai(status = 200)]
    Granted(Json<GrantedToken>),
    /// The request asks for what there is not.
    #[oai(status = 400)]
    Refused(Json<TokenProblem>),
    /// Id and key do not belong together, or the key is good no more. All reasons are told alike.
    #[oai(status = 401)]
    Unknown(Json<TokenProblem>, #[oai(header = "WWW-Authenticate")] String),
    /// The body is no form.
    #[oai(status = 415)]
    NoForm(Json<TokenProblem>),
    /// Too many failures from this address.
    #[oai(status = 429)]
    TooMany(Json<TokenProblem>, #[oai(header = "Retry-After")] u64),
    /// No token can be made just now.
    #[oai(status = 503)]
    Unavailable(Json<TokenProblem>, #[oai(header = "Retry-After")] u64),
}

/// [`TokenReply`], and what may come of any call.
struct Answer(TokenReply);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl ApiResponse for Answer {
    const BAD_REQUEST_HANDLER: bool = true;

    fn meta() -> MetaResponses {
        let mut meta = TokenReply::meta();
        meta.responses.push(any_other());
        meta
    }

    fn register(registry: &mut Registry) {
        TokenReply::register(registry);
        Problem::register(registry);
    }

    /// Of a body that cannot be read.
    fn from_parse_request_error(error: poem::Error) -> Self {
        Self(match error.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => TokenReply::NoForm(problem(
                Reason::InvalidRequest,
                "the body must be application/x-www-form-urlencoded",
            )),
            _ => TokenReply::Refused(problem(
                Reason::InvalidRequest,
                "the body is not a form that can be read",
            )),
        })
    }
}

fn problem(error: Reason, description: &str) -> Json<TokenProblem> {
    Json(TokenProblem { error, error_description: description.to_owned() })
}

/// Why a request gets no token.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    GrantType,
    /// Credentials given twice, in ways that differ, or in a form that cannot be read.
    Credentials,
    Scope,
    /// All reasons not to know a key.
    Client,
    TooMany(Duration),
}

impl From<Refusal> for TokenReply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::GrantType => {
                Self::Refused(problem(Reason::UnsupportedGrantType, "grant_type must be client_credentials"))
            }
            Refusal::Credentials => Self::Refused(problem(
                Reason::InvalidRequest,
                "give client_id and client_secret once, in the body or in Authorization: Basic",
            )),
            Refusal::Scope => {
                Self::Refused(problem(Reason::InvalidScope, "the API key does not have all of these scopes"))
            }
            Refusal::Client => Self::Unknown(
                problem(
                    Reason::InvalidClient,
                    "client_id must be the id of a valid API key, client_secret the key",
                ),
                CHALLENGE.to_owned(),
            ),
            Refusal::TooMany(wait) => Self::TooMany(
                problem(
                    Reason::TemporarilyUnavailable,
                    "too many failures from this address; try again later",
                ),
                whole_seconds(wait),
            ),
        }
    }
}

pub struct TokenApi;

#[OpenApi(tag = "Group::Tokens")]
impl TokenApi {
    /// Get a token
    ///
    /// OAuth 2, client credentials: the id of an API key and the key itself for a token that is good for 15 minutes
    /// wherever the key is. Revoking the key ends its tokens, too.
    #[oai(path = "/v1/token", method = "post", operation_id = "getToken")]
    async fn token(&self, app: Data<&Arc<App>>, request: &Request, form: Form<TokenRequest>) -> Answer {
        let authorization = request.headers().get(header::AUTHORIZATION);
        let authorization = authorization.map(|value| value.to_str().unwrap_or_default());
        Answer(match grant(app.0, form.0, authorization, client_address(request)) {
            Ok(grant) => granted(app.0, grant),
            Err(refusal) => refusal.into(),
        })
    }
}

fn granted(app: &App, grant: Grant) -> TokenReply {
    let scope = grant.scope.clone();
    match app.tokens.make(grant, &app.chance, app.clock.now_ms()) {
        Ok((access_token, _)) => TokenReply::Granted(Json(GrantedToken {
            access_token,
            token_type: "Bearer".to_owned(),
            expires_in: LIFETIME.as_secs(),
            scope,
        })),
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "no token could be made");
            TokenReply::Unavailable(problem(Reason::TemporarilyUnavailable, "try again in a moment"), 1)
        }
    }
}

/// What a token may say that is asked for like this.
fn grant(
    app: &App,
    wanted: TokenRequest,
    authorization: Option<&str>,
    address: IpAddr,
) -> Result<Grant, Refusal> {
    if wanted.grant_type.as_deref() != Some("client_credentials") {
        return Err(Refusal::GrantType);
    }
    let too_many = |refusal: limits::Refusal| Refusal::TooMany(refusal.wait);
    app.limits.authentication(address).map_err(too_many)?;
    let (id, key) = credentials(wanted.client_id, wanted.client_secret, authorization)?;
    let Some(caller) = proven(app, &id, &key, address, app.clock.now_ms()) else {
        app.limits.failed_authentication(address).map_err(too_many)?;
        return Err(Refusal::Client);
    };
    let scopes = match wanted.scope.as_deref() {
        None | Some("") => caller.scopes,
        Some(text) => within(caller.scopes, text)?,
    };
    Ok(Grant { audience: Audience::Api, credential: id, scope: scopes.text(), role: None, auth_time: None })
}

fn proven(app: &App, id: &str, key: &str, address: IpAddr, now: i64) -> Option<Caller> {
    let key = app.directory.api_key(&api_keys::hash_of(key).ok()?)?;
    key.proves(address, now).ok().filter(|_| key.id == id)
}

/// The scopes named, if all of them are among `own`.
fn within(own: Scopes, text: &str) -> Result<Scopes, Refusal> {
    let named = text.split_ascii_whitespace().map(|name| Scope::parse(name).filter(|scope| own.has(*scope)));
    named.collect::<Option<Scopes>>().ok_or(Refusal::Scope)
}

/// The key's id and the key, from the body or from `Authorization: Basic`.
fn credentials(
    id: Option<String>,
    key: Option<String>,
    authorization: Option<&str>,
) -> Result<(String, Zeroizing<String>), Refusal> {
    match (id, key, authorization) {
        (Some(id), Some(key), None) => Ok((id, Zeroizing::new(key))),
        (id, None, Some(header)) => {
            let (given, key) = basic(header).ok_or(Refusal::Credentials)?;
            if id.is_some_and(|id| id != given) {
                return Err(Refusal::Credentials);
            }
            Ok((given, key))
        }
        _ => Err(Refusal::Credentials),
    }
}

/// Neither has characters that a form would encode.
fn basic(header: &str) -> Option<(String, Zeroizing<String>)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = Zeroizing::new(String::from_utf8(BASE64.decode(encoded.trim().as_bytes()).ok()?).ok()?);
    let (id, key) = text.split_once(':')?;
    Some((id.to_owned(), Zeroizing::new(key.to_owned())))
}

impl Example for TokenRequest {
    fn example() -> Self {
        Self {
            grant_type: Some("client_credentials".to_owned()),
            client_id: Some("01K1Z0000000000000000000K1".to_owned()),
            client_secret: Some("sg_test_…".to_owned()),
            scope: Some("orders:read orders:write".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(id: Option<&str>, key: Option<&str>, header: Option<&str>) -> Result<(String, String), Refusal> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        credentials(owned(id), owned(key), header).map(|(id, key)| (id, key.to_string()))
    }

    #[test]
    fn credentials_come_in_the_body_or_in_the_header_and_only_once() {
        let basic = format!("Basic {}", BASE64.encode(b"k1:sg_test_x"));
        let pair = Ok(("k1".to_owned(), "sg_test_x".to_owned()));
        assert_eq!(read(Some("k1"), Some("sg_test_x"), None), pair);
        assert_eq!(read(None, None, Some(&basic)), pair);
        assert_eq!(read(Some("k1"), None, Some(&basic)), pair);
        for (id, key, header) in [
            (None, None, None),
            (Some("k1"), None, None),
            (None, Some("sg_test_x"), None),
            (Some("k1"), Some("sg_test_x"), Some(basic.as_str())),
            (Some("k2"), None, Some(basic.as_str())),
            (None, None, Some("Bearer x")),
            (None, None, Some("Basic !")),
            (None, None, Some("Basic azE=")),
        ] {
            assert_eq!(read(id, key, header), Err(Refusal::Credentials), "{id:?} {key:?} {header:?}");
        }
    }

    #[test]
    fn a_token_never_has_more_scopes_than_its_key() {
        let own: Scopes = [Scope::OrdersRead, Scope::MerchantsRead].into_iter().collect();
        assert_eq!(within(own, "orders:read").map(Scopes::text), Ok("orders:read".to_owned()));
        assert_eq!(within(own, "orders:read merchants:read"), Ok(own));
        assert_eq!(within(own, "orders:read orders:write"), Err(Refusal::Scope));
        assert_eq!(within(own, "everything"), Err(Refusal::Scope));
    }
}
