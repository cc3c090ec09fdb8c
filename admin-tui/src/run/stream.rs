//! The stream of changes: heard, and asked for again from where it broke off.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use shared::ops::Live;
use tokio::sync::mpsc::Sender;

use crate::client::{Client, Failure};
use crate::event::{Event, Word};
use crate::sse::Reader;

/// Without a sign of life for so long it is taken for broken.
const SILENCE: Duration = Duration::from_secs(30);
/// Between two tries, longer each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Until nobody listens any more. Words are queued in the one channel of events: when it is full, the gateway waits,
/// and tells of a gap if it has waited too long.
pub async fn listen(client: Arc<Client>, path: String, stream: u64, events: Sender<Event>) {
    let mut last_id: Option<String> = None;
    let mut wait = FIRST_WAIT;
    let mut has_broken = false;
    loop {
        let broken = match client.stream(&path, last_id.as_deref()).await {
            Ok(body) => {
                wait = FIRST_WAIT;
                // Without a place to go on from, what was told meanwhile is not known.
                let gap = (has_broken && last_id.is_none()).then(|| Word::Changed(Box::new(Live::Gap)));
                for word in [Some(Word::Opened), gap].into_iter().flatten() {
                    if events.send(Event::Stream(stream, word)).await.is_err() {
                        return;
                    }
                }
                match hear(body, &mut last_id, stream, &events).await {
                    Some(failure) => failure,
                    None => return,
                }
            }
            Err(failure) => failure,
        };
        has_broken = true;
        let is_final = is_final(&broken);
        if events.send(Event::Stream(stream, Word::Broken(broken))).await.is_err() || is_final {
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// What is refused for what it is will be refused again; the screen is read again and again instead.
fn is_final(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { problem } if problem.status < 500 && problem.status != 429)
}

/// Gives why it broke off; absent: nobody listens any more.
async fn hear(
    mut body: Incoming,
    last_id: &mut Option<String>,
    stream: u64,
    events: &Sender<Event>,
) -> Option<Failure> {
    let mut reader = Reader::default();
    loop {
        let frame = match tokio::time::timeout(SILENCE, body.frame()).await {
            Err(_) => return Some(Failure::Lost(format!("no word for {} s", SILENCE.as_secs()))),
            Ok(None) => return Some(Failure::Lost("the gateway ended the stream".to_owned())),
            Ok(Some(Err(error))) => return Some(Failure::Lost(error.to_string())),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(bytes): Result<bytes::Bytes, _> = frame.into_data() else { continue };
        let messages = match reader.read(&bytes) {
            Ok(messages) => messages,
            Err(why) => return Some(Failure::Unreadable(why.to_owned())),
        };
        let mut words = Vec::new();
        for message in messages {
            // What a newer gateway tells besides is passed over, but not the place it has in the stream.
            let change = (!message.data.is_empty())
                .then(|| serde_json::from_str::<Live>(&message.data).ok())
                .flatten();
            words.extend(change.map(|change| (message.id.clone(), Word::Changed(Box::new(change)))));
            if words.last().is_none_or(|(id, _)| *id != message.id) {
                words.push((message.id, Word::Beat));
            }
        }
        if words.is_empty() {
            // A comment, or a part of a message: somebody is there.
            words.push((None, Word::Beat));
        }
        for (id, word) in words {
            events.send(Event::Stream(stream, word)).await.ok()?;
            *last_id = id.or(last_id.take());
        }
    }
}
