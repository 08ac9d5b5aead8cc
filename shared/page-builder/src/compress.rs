//! Compression as far as it goes: it is done once, and sent many times.

use std::io::{self, Write};
use std::path::PathBuf;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::BuildError;

/// The bytes as gzip (RFC 1952), the same each time.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>, BuildError> {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(failed)
}

/// The bytes as Brotli (RFC 7932), told that they are text.
pub(crate) fn brotli(bytes: &[u8]) -> Result<Vec<u8>, BuildError> {
    let params = BrotliEncoderParams {
        mode: brotli::enc::backward_references::BrotliEncoderMode::BROTLI_MODE_TEXT,
        size_hint: bytes.len(),
        ..BrotliEncoderParams::default()
    };
    let (mut from, mut packed) = (bytes, vec![]);
    brotli::BrotliCompress(&mut from, &mut packed, &params).map_err(failed)?;
    Ok(packed)
}

fn failed(source: io::Error) -> BuildError {
    BuildError::File { path: PathBuf::from("compressed"), source }
}
