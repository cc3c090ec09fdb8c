//! The full-screen console: one channel of events, effects done beside it.

pub mod effect;
pub mod perform;
pub mod rotate;
pub mod stream;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use crossterm::event::{Event as Input, EventStream};
use futures_util::StreamExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

use self::effect::World;
use crate::app::App;
use crate::args::Args;
use crate::client::Client;
use crate::draw;
use crate::effects::Effect;
use crate::environment;
use crate::event::Event;
use crate::record::Record;
use crate::session::Target;
use crate::terminal::{self, Taken};
use crate::theme::Colours;
use crate::update::update;

/// Events that wait at most; whoever brings more waits, too.
const CHANNEL: usize = 1024;
/// Events between two drawings at most.
const BATCH: usize = 4096;
/// What comes by itself is drawn no more often: 25 times a second.
const BETWEEN_DRAWINGS: Duration = Duration::from_millis(40);
const TICK: Duration = Duration::from_millis(500);

type Recorder = Arc<Mutex<Option<Record>>>;

pub async fn run(args: &Args) -> anyhow::Result<()> {
    let target = Target::of(&args.server)?;
    let client = Client::new(target.url.clone())?;
    let colours = if environment::no_colour() { Colours::None } else { args.theme };
    let size = crossterm::terminal::size().context("asking for the terminal's size")?;
    let server = target.url.as_str().trim_end_matches('/').to_owned();
    let mut app = App::new(server, colours, args.read_only, size, environment::now_ms());
    let recorder: Recorder = Arc::new(Mutex::new(args.record.clone().map(Record::new)));
    let (sender, receiver) = channel(CHANNEL);
    if let Some(zone) = args.zone {
        (app.other_zone, app.zone) = (app.zone, zone);
    }
    let mut world = World::new(client, target, sender.clone());
    app.login.is_waiting = world.begin();

    let at_panic = Arc::clone(&recorder);
    terminal::restore_on_panic(move || write(&at_panic));
    let mut taken = Taken::take(!args.no_mouse).context("taking the terminal")?;
    let sources = [
        tokio::spawn(input(sender.clone())),
        tokio::spawn(ticks(sender.clone())),
        tokio::spawn(signals(sender)),
    ];
    let ended = turn(&mut app, &mut world, receiver, &mut taken, &recorder).await;
    drop(taken);
    sources.iter().for_each(tokio::task::JoinHandle::abort);
    write(&recorder);
    ended
}

async fn turn(
    app: &mut App,
    world: &mut World,
    mut events: Receiver<Event>,
    taken: &mut Taken,
    recorder: &Recorder,
) -> anyhow::Result<()> {
    loop {
        let began = Instant::now();
        taken.screen.draw(|frame| draw::draw(app, frame))?;
        let drawn_at = Instant::now();
        if let Some(record) = &mut *recorder.lock().unwrap_or_else(PoisonError::into_inner) {
            record.drew(drawn_at - began);
            record.picture(app);
        }
        let mut event = events.recv().await;
        let mut is_urgent = false;
        for handled in 1.. {
            let Some(happened) = event else { return Ok(()) };
            is_urgent |= happened.is_an_operators();
            if !obey(app, world, happened, taken, recorder)? {
                return Ok(());
            }
            // What an operator does is drawn at once, with what has come by then; what comes by itself waits for more.
            let is_due = Instant::now() >= drawn_at + BETWEEN_DRAWINGS;
            let next = if is_due || handled == BATCH {
                None
            } else if is_urgent {
                events.try_recv().ok().map(Some)
            } else {
                tokio::time::timeout_at(drawn_at + BETWEEN_DRAWINGS, events.recv()).await.ok()
            };
            match next {
                Some(next) => event = next,
                None => break,
            }
        }
    }
}

/// False: it is the end.
fn obey(
    app: &mut App,
    world: &mut World,
    happened: Event,
    taken: &mut Taken,
    recorder: &Recorder,
) -> anyhow::Result<bool> {
    if let Some(record) = &mut *recorder.lock().unwrap_or_else(PoisonError::into_inner) {
        record.note(app, &happened);
    }
    for effect in update(app, happened) {
        match effect {
            Effect::Quit => return Ok(false),
            Effect::Suspend => {
                taken.suspend()?;
                app.size = crossterm::terminal::size()?;
            }
            other => world.act(other),
        }
    }
    Ok(true)
}

async fn input(events: Sender<Event>) {
    let mut stream = EventStream::new();
    while let Some(Ok(input)) = stream.next().await {
        let event = match input {
            Input::Key(key) => Event::Key(key),
            Input::Paste(text) => Event::Paste(text),
            Input::Mouse(mouse) => Event::Mouse(mouse),
            Input::Resize(columns, rows) => Event::Resize(columns, rows),
            _ => continue,
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
    // Nobody is at the terminal any more; the console has gone already if this finds nobody.
    let _ = events.send(Event::Stop).await;
}

async fn ticks(events: Sender<Event>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        interval.tick().await;
        if events.send(Event::Tick(environment::now_ms())).await.is_err() {
            return;
        }
    }
}

async fn signals(events: Sender<Event>) {
    let stop = SignalKind::from_raw(signal_hook::consts::SIGTSTP);
    let listen = || {
        Some((signal(SignalKind::terminate()).ok()?, signal(SignalKind::hangup()).ok()?, signal(stop).ok()?))
    };
    let Some((mut terminate, mut hangup, mut suspend)) = listen() else { return };
    loop {
        let event = tokio::select! {
            _ = terminate.recv() => Event::Stop,
            _ = hangup.recv() => Event::Stop,
            _ = suspend.recv() => Event::Suspend,
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}

fn write(recorder: &Recorder) {
    if let Some(record) = &*recorder.lock().unwrap_or_else(PoisonError::into_inner)
        && let Err(error) = record.write()
    {
        eprintln!("scangate-admin: the record is not written: {error}");
    }
}
