//! The route table.

use std::sync::Arc;

use poem::{Endpoint, IntoResponse, Request, Response, Route, endpoint};

use crate::state::State;
use crate::{control, operations, page};

pub(crate) fn routes(state: &Arc<State>) -> Route {
    Route::new()
        .at("/", with(state, page::home::show))
        .at("/violations", with(state, page::violations::show))
        .at("/faults", with(state, page::faults::show))
        .at("/pay/:token", with(state, page::pay))
        .at("/pay/:token/status", with(state, page::status))
        .at("/api/*path", with(state, operations::answer))
        .at("/control/*path", with(state, control::http::answer))
}

fn with<F, Fut, R>(state: &Arc<State>, handler: F) -> impl Endpoint<Output = Response> + use<F, Fut, R>
where
    F: Fn(Arc<State>, Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = R> + Send + 'static,
    R: IntoResponse + 'static,
{
    let state = Arc::clone(state);
    endpoint::make(move |request| {
        let answer = handler.clone()(Arc::clone(&state), request);
        async move { answer.await.into_response() }
    })
}
