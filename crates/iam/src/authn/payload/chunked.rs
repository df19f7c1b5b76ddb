//! `aws-chunked`: a body in chunks within the body, each with its size and, where the head says so, its signature; headers
//! may follow the last.

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use super::check::{self, Outlet, Trailers};
use super::{Chain, Form, Payload, PayloadError};
use moho_terms::hex;

/// The most bytes of a signed chunk, as all of it is held until its signature is checked. SDKs send 64 or 128 KiB.
pub const LARGEST_CHUNK: usize = 1 << 20;
/// The longest line of a chunk's size and signature: 16 digits, `;chunk-signature=` and 64 digits, and some room.
const LONGEST_SIZE: usize = 128;
/// The longest line of a trailing header.
const LONGEST_TRAILER: usize = 2 << 10;
/// The name of the signature of what comes after the chunks.
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Where in a chunked body we are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the line of a chunk's size.
    Size,
    /// In a chunk, with so many bytes to come.
    Data(u64),
    /// After a chunk, of whose line's end so many bytes have come.
    DataEnd(usize),
    /// After the chunk of no bytes.
    Trailers,
    /// After everything.
    Over,
}

/// A chunked body as far as it has come.
pub(super) struct Chunks {
    place: Place,
    line: Vec<u8>,
    /// Bytes that are still to come in chunks.
    left: u64,
    signed: Option<Signed>,
    announced: Vec<String>,
    trailers: Trailers,
    /// Whether what comes after the chunks has been found right.
    settled: bool,
}

/// What signed chunks take besides.
struct Signed {
    chain: Chain,
    /// Of the chunk that is coming.
    signature: [u8; 32],
    digest: digest::Context,
    held: Zeroizing<Vec<u8>>,
}

impl Chunks {
    pub(super) fn new(payload: Payload) -> Self {
        let chain = (payload.form == Form::SignedChunks).then_some(payload.chain);
        Self {
            place: Place::Size,
            line: Vec::new(),
            left: payload.decoded_length.unwrap_or_default(),
            signed: chain.map(|chain| Signed {
                chain,
                signature: [0; 32],
                digest: digest::Context::new(&digest::SHA256),
                held: Zeroizing::default(),
            }),
            announced: payload.trailers,
            trailers: Trailers::new(),
            settled: false,
        }
    }

    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        outlet: &mut Outlet,
        out: &mut Vec<u8>,
    ) -> Result<(), PayloadError> {
        while let Some((first, rest)) = bytes.split_first() {
            match self.place {
                Place::Data(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (data, after) = bytes.split_at(here);
                    self.data(data, left, (outlet, out))?;
                    bytes = after;
                    continue;
                }
                Place::Size => self.size_byte(*first)?,
                Place::DataEnd(come) => self.place = after_data(come, *first)?,
                Place::Trailers => self.trailer_byte(*first)?,
                Place::Over => return Err(PayloadError::Framing("Bytes follow the last chunk.")),
            }
            bytes = rest;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Trailers, PayloadError> {
        if self.place == Place::Over {
            Ok(self.trailers)
        } else {
            Err(PayloadError::Incomplete)
        }
    }

    /// One more byte of a chunk's size.
    fn size_byte(&mut self, byte: u8) -> Result<(), PayloadError> {
        if !self.line_ends(byte, LONGEST_SIZE)? {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(BAD_SIZE);
        };
        let line = std::str::from_utf8(line).map_err(|_not_text| BAD_SIZE)?;
        let digits = match &mut self.signed {
            Some(signed) => {
                let (digits, signature) = line.split_once(";chunk-signature=").ok_or(BAD_SIZE)?;
                signed.signature = hex::decode(signature).ok_or(BAD_SIZE)?;
                digits
            }
            None => line,
        };
        let size = chunk_size(digits).ok_or(BAD_SIZE)?;
        self.begin(size)
    }

    /// Begins a chunk of so many bytes.
    fn begin(&mut self, size: u64) -> Result<(), PayloadError> {
        self.left = self.left.checked_sub(size).ok_or(PayloadError::Incomplete)?;
        if let Some(signed) = &mut self.signed {
            let size = usize::try_from(size).ok().filter(|size| *size <= LARGEST_CHUNK);
            let size = size.ok_or(PayloadError::ChunkTooLarge)?;
            signed.held.clear();
            signed.held.reserve_exact(size);
        }
        if size > 0 {
            self.place = Place::Data(size);
            return Ok(());
        }
        if self.left > 0 {
            return Err(PayloadError::Incomplete);
        }
        if let Some(signed) = &mut self.signed {
            signed.check()?;
        }
        self.place = Place::Trailers;
        Ok(())
    }

    /// Some of a chunk's bytes; `left` are those to come with them.
    fn data(
        &mut self,
        data: &[u8],
        left: u64,
        (outlet, out): (&mut Outlet, &mut Vec<u8>),
    ) -> Result<(), PayloadError> {
        let left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX));
        self.place = if left == 0 {
            Place::DataEnd(0)
        } else {
            Place::Data(left)
        };
        match &mut self.signed {
            None => outlet.give(data, out),
            Some(signed) => {
                signed.digest.update(data);
                signed.held.extend_from_slice(data);
                if left == 0 {
                    signed.check()?;
                    outlet.give(&signed.held, out);
                }
            }
        }
        Ok(())
    }

    /// One more byte of what comes after the chunks.
    fn trailer_byte(&mut self, byte: u8) -> Result<(), PayloadError> {
        if !self.line_ends(byte, LONGEST_TRAILER)? {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.is_empty() {
            return self.end_of_trailers();
        }
        let line = std::str::from_utf8(line).map_err(|_not_text| PayloadError::Trailers)?;
        let (name, value) = line.split_once(':').ok_or(PayloadError::Trailers)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if self.settled {
            return Err(PayloadError::Trailers);
        }
        if name == TRAILER_SIGNATURE {
            return self.check_trailers(value);
        }
        let announced = self.announced.contains(&name);
        let known = self.trailers.iter().any(|(known, _)| *known == name);
        let visible = value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        if !announced || known || !visible || !check::is_name(&name) {
            return Err(PayloadError::Trailers);
        }
        self.trailers.push((name, value.to_owned()));
        Ok(())
    }

    /// Checks the signature of what came after the chunks.
    fn check_trailers(&mut self, signature: &str) -> Result<(), PayloadError> {
        let signed = self.signed.as_mut().ok_or(PayloadError::Trailers)?;
        let signature = hex::decode(signature).ok_or(PayloadError::Trailers)?;
        let mut lines = String::new();
        for (name, value) in &self.trailers {
            lines.push_str(name);
            lines.push(':');
            lines.push_str(value);
            lines.push('\n');
        }
        signed.chain.trailers(&lines, &signature)?;
        self.settled = true;
        Ok(())
    }

    /// An empty line. Some clients send one before the signature too.
    fn end_of_trailers(&mut self) -> Result<(), PayloadError> {
        let all = self.trailers.len() == self.announced.len();
        if !all {
            return Err(PayloadError::Trailers);
        }
        let awaits_signature = self.signed.is_some() && !self.announced.is_empty() && !self.settled;
        if !awaits_signature {
            self.place = Place::Over;
        }
        Ok(())
    }

    /// Takes one more byte of a line; whether it is its last.
    fn line_ends(&mut self, byte: u8, longest: usize) -> Result<bool, PayloadError> {
        if byte == b'\n' {
            return Ok(true);
        }
        if self.line.len() == longest {
            return Err(PayloadError::Framing("A line between chunks is too long."));
        }
        self.line.push(byte);
        Ok(false)
    }
}

impl Signed {
    /// Checks what is held of a chunk.
    fn check(&mut self) -> Result<(), PayloadError> {
        let whole = std::mem::replace(&mut self.digest, digest::Context::new(&digest::SHA256)).finish();
        let mut data = [0; 32];
        data.copy_from_slice(whole.as_ref());
        self.chain.chunk(&data, &self.signature)
    }
}

const BAD_SIZE: PayloadError =
    PayloadError::Framing("A chunk begins with its size, and where chunks are signed its signature.");

fn chunk_size(digits: &str) -> Option<u64> {
    let hexadecimal = (1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    hexadecimal
        .then(|| u64::from_str_radix(digits, 16).ok())
        .flatten()
}

/// What follows when so many bytes of the line's end after a chunk had come.
fn after_data(come: usize, byte: u8) -> Result<Place, PayloadError> {
    match (come, byte) {
        (0, b'\r') => Ok(Place::DataEnd(1)),
        (1, b'\n') => Ok(Place::Size),
        _ => Err(PayloadError::Framing("A chunk is longer than it says.")),
    }
}
