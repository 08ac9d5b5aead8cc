//! The state file: one line of JSON for each change, written before the change is answered.
//!
//! A line holds all events of one change, so that a kill leaves the whole change or none of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{JournalError, StartError};
use crate::ledger::{Event, Ledger};

/// Where changes are kept; in memory nowhere.
pub(crate) struct Journal(Option<Lines>);

struct Lines {
    file: File,
    len: u64,
}

impl Journal {
    /// Opens the file and replays it.
    pub(crate) fn open(path: Option<&Path>) -> Result<(Self, Ledger), StartError> {
        let mut ledger = Ledger::default();
        let Some(path) = path else {
            return Ok((Self(None), ledger));
        };
        let failed = |source| StartError::Open { path: path.to_owned(), source };
        let (lines, text) = Lines::open(path).map_err(failed)?;
        for (index, line) in text.lines().enumerate() {
            let events = serde_json::from_str::<Vec<Event>>(line).map_err(|source| {
                let line = index.saturating_add(1);
                StartError::Corrupt { path: path.to_owned(), line, source }
            })?;
            events.into_iter().for_each(|event| ledger.apply(event));
        }
        Ok((Self(Some(lines)), ledger))
    }

    /// Keeps the events of one change.
    pub(crate) fn append(&mut self, events: &[Event]) -> Result<(), JournalError> {
        let Some(lines) = &mut self.0 else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(events)?;
        line.push(b'\n');
        lines.append(&line)?;
        Ok(())
    }
}

impl Lines {
    /// Reads the complete lines and cuts off what a kill tore.
    fn open(path: &Path) -> io::Result<(Self, String)> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file =
            OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
        let mut bytes = fs::read(path)?;
        let complete = bytes.iter().rposition(|byte| *byte == b'\n');
        bytes.truncate(complete.map_or(0, |end| end.saturating_add(1)));
        let text = String::from_utf8(bytes).map_err(io::Error::other)?;
        let len = u64::try_from(text.len()).map_err(io::Error::other)?;
        file.set_len(len)?;
        file.seek(SeekFrom::Start(len))?;
        Ok((Self { file, len }, text))
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(line) {
            // Half a line would spoil the next one.
            self.file.set_len(self.len)?;
            self.file.seek(SeekFrom::Start(self.len))?;
            return Err(error);
        }
        let written = u64::try_from(line.len()).map_err(io::Error::other)?;
        self.len = self.len.saturating_add(written);
        Ok(())
    }
}
