//! A caller's limits: asked as soon as it is known who calls, and said in what it is answered.

use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use poem::{Endpoint, IntoResponse, Request, Response};

use crate::api::edge::Besides;
use crate::app::App;
use crate::directory::access::{Caller, Tenant, Unproven};
use crate::error::Error;
use crate::limits::Standing;

/// Where the extractor that proves the caller leaves what is left of its limits.
#[derive(Clone, Default)]
struct Noted(Arc<OnceLock<Standing>>);

/// Around all of `/v1`: say in the answer what was noted while it was made, whether it is one or a problem. A problem
/// that is about a limit says so itself.
pub async fn said<E: Endpoint>(endpoint: Arc<E>, mut request: Request) -> poem::Result<Response> {
    let noted = Noted::default();
    request.set_data(noted.clone());
    let answer = endpoint.call(request).await;
    let Some(standing) = noted.0.get() else {
        return answer.map(IntoResponse::into_response);
    };
    let mut headers = HeaderMap::new();
    standing.put(&mut headers);
    match answer {
        Ok(answer) => {
            let mut response = answer.into_response();
            Besides(headers).put(&mut response);
            Ok(response)
        }
        Err(mut error) => {
            error.set_data(Besides(headers));
            Err(error)
        }
    }
}

/// Draw for a request of a caller that is proven.
pub(super) async fn admit(app: &App, request: &Request, caller: Caller) -> Result<Caller, Error> {
    let (platform_id, merchant_id) = match &caller.tenant {
        Tenant::Platform { platform_id } => (platform_id, None),
        Tenant::Merchant { platform_id, merchant_id } => (platform_id, Some(merchant_id)),
    };
    // Whoever was proven a moment ago and is gone from the directory is proven no more.
    let gone = || Error::Unauthorized(Unproven::Unknown);
    let platform = app.directory.platform_by_id(platform_id).ok_or_else(gone)?;
    let merchant = match merchant_id {
        Some(id) => Some(app.directory.merchant_by_id(id).ok_or_else(gone)?),
        None => None,
    };
    let standing = app.limits.request(&platform, merchant.as_deref()).await.map_err(Error::Limited)?;
    if let Some(noted) = request.data::<Noted>() {
        // Proven once in a request; what a second extractor draws is not worth another header.
        let _ = noted.0.set(standing);
    }
    Ok(caller)
}

/// The answer to a caller that is not proven: the same for all reasons, until too many came from its address.
pub fn unproven(app: &App, reason: Unproven, address: std::net::IpAddr) -> Error {
    match app.limits.failed_authentication(address) {
        Ok(()) => Error::Unauthorized(reason),
        Err(refusal) => Error::Limited(refusal),
    }
}
