//! What a world tells the merchant's own systems, by the template's pipe, checked against
//! `docs/events/`.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex};

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use embedded::writes::WriteEvent;
use local::events::STAGE;
use local::pipe::{Pipe, TEMPLATE};
use local::stack::Stack;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::World;

/// The shapes of all events.
pub const SHAPES: &str = include_str!("../../docs/events/version-1.schema.json");
/// A name for the shapes among schemas; nothing is fetched.
const NAME: &str = "urn:latchpay:events:1";

/// Listens to the events of a world. Each is checked, at the latest when the world ends.
pub(crate) struct Heard {
    pipe: Pipe,
    writes: Mutex<Receiver<WriteEvent>>,
    told: Mutex<Told>,
}

/// What was heard so far.
#[derive(Default)]
struct Told {
    events: Vec<Value>,
    missed: u64,
}

impl Heard {
    pub(crate) fn of(stack: &Stack) -> Self {
        Self {
            pipe: Pipe::of_template(TEMPLATE, STAGE).unwrap(),
            writes: Mutex::new(stack.embedded.writes()),
            told: Mutex::default(),
        }
    }

    /// Takes up what was written since.
    pub(crate) fn listen(&self) {
        let (mut writes, mut told) = (self.writes.lock().unwrap(), self.told.lock().unwrap());
        loop {
            match writes.try_recv() {
                Ok(write) => {
                    let event = self.pipe.pass(&write).unwrap();
                    told.events.extend(event.map(|event| {
                        assert_eq!(event.detail["type"], event.detail_type);
                        check(&event.detail);
                        event.detail
                    }));
                }
                Err(TryRecvError::Lagged(missed)) => told.missed += missed,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.listen();
        }
    }
}

impl World {
    /// Every event so far, in the order of the writes. One that was told again is there once.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.heard.listen();
        let told = self.heard.told.lock().unwrap();
        assert_eq!(told.missed, 0, "writes came too fast to be heard");
        let mut events: Vec<Value> = vec![];
        for event in &told.events {
            match events.iter().find(|one| one["id"] == event["id"]) {
                Some(same) => assert_eq!(same, event, "an id names one event"),
                None => events.push(event.clone()),
            }
        }
        events
    }
}

/// Checks an event against its shape, which must name all its fields.
pub fn check(event: &Value) {
    static SHAPE: LazyLock<(Schemas, SchemaIndex)> = LazyLock::new(compile);
    let (schemas, shape) = &*SHAPE;
    if let Err(error) = schemas.validate(event, *shape) {
        panic!("not as docs/events says: {error:#}\n{event:#}");
    }
    let shape = &shapes()["$defs"][event["type"].as_str().unwrap()]["properties"];
    for (fields, shape) in [(event, shape), (&event["data"], &shape["data"]["properties"])] {
        assert_eq!(names(fields), names(shape), "{event:#}");
    }
}

fn names(object: &Value) -> BTreeSet<&String> {
    object.as_object().unwrap().keys().collect()
}

/// The shapes as JSON.
#[must_use]
pub fn shapes() -> &'static Value {
    static READ: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(SHAPES).unwrap());
    &READ
}

fn compile() -> (Schemas, SchemaIndex) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.set_default_draft(Draft::V2020_12);
    compiler.enable_format_assertions();
    compiler.add_resource(NAME, shapes().clone()).unwrap();
    let shape = compiler.compile(NAME, &mut schemas).unwrap();
    (schemas, shape)
}
