//! One TPM: commands put together, sent one at a time, and answers taken apart.

use std::sync::{Mutex, PoisonError};

use crate::error::{ResponseCode, TpmError};
use crate::transport::{HEAD, LONGEST, Transport};
use crate::wire::{Reader, Writer};

/// `TPM_ST_NO_SESSIONS`
const NO_SESSIONS: u16 = 0x8001;
/// `TPM_ST_SESSIONS`
const SESSIONS: u16 = 0x8002;
/// `TPM_RS_PW`: a password instead of a session.
const PASSWORD: u32 = 0x4000_0009;
/// `TPM_RC_RETRY`, and `TPM_RC_YIELDED` and `TPM_RC_TESTING`: ask again.
const AGAIN: [u32; 3] = [0x922, 0x908, 0x90a];
/// How often.
const TRIES: u32 = 64;

/// A command of Part 3: TCG's name and number.
#[derive(Clone, Copy)]
pub(crate) struct Code(pub(crate) &'static str, pub(crate) u32);

const FLUSH_CONTEXT: Code = Code("TPM2_FlushContext", 0x0165);
const STARTUP: Code = Code("TPM2_Startup", 0x0144);
/// `TPM_RC_INITIALIZE`: it was started already.
const STARTED: u32 = 0x100;

/// Who authorizes the use of a handle.
#[derive(Clone, Copy)]
pub(crate) enum Authorization<'a> {
    /// An empty password.
    Empty,
    /// A policy session, which ends with the command.
    Policy(&'a Loaded<'a>),
}

/// An answer without its head: handles first, then parameters.
pub(crate) struct Answer {
    command: &'static str,
    bytes: Vec<u8>,
    with_sessions: bool,
}

impl Answer {
    /// A reader of what stands before the parameters' length: the handle, if the command gives one.
    pub(crate) fn handle(&self) -> Result<(u32, Reader<'_>), TpmError> {
        let mut reader = Reader::new(self.command, &self.bytes);
        let handle = reader.u32()?;
        Ok((handle, self.behind(reader)?))
    }

    /// A reader of the parameters.
    pub(crate) fn parameters(&self) -> Result<Reader<'_>, TpmError> {
        self.behind(Reader::new(self.command, &self.bytes))
    }

    fn behind<'a>(&self, mut reader: Reader<'a>) -> Result<Reader<'a>, TpmError> {
        if !self.with_sessions {
            return Ok(reader);
        }
        let length = reader.u32()?;
        let length =
            usize::try_from(length).map_err(|_huge| reader.malformed("its parameters are too long"))?;
        Ok(Reader::new(self.command, reader.take(length)?))
    }
}

/// A TPM.
pub struct Tpm(Mutex<Box<dyn Transport>>);

impl Tpm {
    /// The TPM behind a transport, started if nobody has yet.
    ///
    /// # Errors
    /// [`TpmError`]: it cannot be reached or does not start.
    pub fn open(transport: Box<dyn Transport>) -> Result<Self, TpmError> {
        let tpm = Self(Mutex::new(transport));
        let mut clear = Writer::default();
        clear.u16(0);
        match tpm.ask(STARTUP, &[], &clear.0) {
            Ok(_) => Ok(tpm),
            Err(TpmError::Refused { code, .. }) if code.number() == STARTED => Ok(tpm),
            Err(error) => Err(error),
        }
    }

    /// A command that nobody has to authorize.
    pub(crate) fn ask(&self, code: Code, handles: &[u32], parameters: &[u8]) -> Result<Answer, TpmError> {
        self.send(code, handles, None, parameters)
    }

    /// A command of which each of the first handles is authorized.
    pub(crate) fn ask_authorized(
        &self,
        code: Code,
        (handles, authorizations): (&[u32], &[Authorization<'_>]),
        parameters: &[u8],
    ) -> Result<Answer, TpmError> {
        let mut area = Writer::default();
        for authorization in authorizations {
            let session = match authorization {
                Authorization::Empty => PASSWORD,
                Authorization::Policy(session) => session.handle,
            };
            // No nonce; of attributes, that the session goes on: whoever made it flushes it. No password.
            area.u32(session).u16(0).u8(1).u16(0);
        }
        self.send(code, handles, Some(&area.0), parameters)
    }

    fn send(
        &self,
        Code(name, number): Code,
        handles: &[u32],
        area: Option<&[u8]>,
        parameters: &[u8],
    ) -> Result<Answer, TpmError> {
        let mut body = Writer::default();
        for handle in handles {
            body.u32(*handle);
        }
        if let Some(area) = area {
            let length = u32::try_from(area.len()).map_err(|_huge| TpmError::TooLong("an authorization"))?;
            body.u32(length).bytes(area);
        }
        body.bytes(parameters);
        let length = body.0.len().saturating_add(HEAD);
        let length = u32::try_from(length).ok().filter(|_| length <= LONGEST);
        let mut command = Writer::default();
        command
            .u16(if area.is_some() { SESSIONS } else { NO_SESSIONS })
            .u32(length.ok_or(TpmError::TooLong("a command"))?)
            .u32(number)
            .bytes(&body.0);
        for _ in 0..TRIES {
            let answer = self.transact(&command.0)?;
            match taken_apart(name, &answer, area.is_some()) {
                Err(TpmError::Refused { code, .. }) if AGAIN.contains(&code.number()) => {}
                answered => return answered,
            }
        }
        Err(TpmError::Refused {
            command: name,
            code: ResponseCode(AGAIN[0]),
        })
    }

    fn transact(&self, command: &[u8]) -> Result<Vec<u8>, TpmError> {
        let mut transport = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(transport.transact(command)?)
    }

    /// Something that was loaded and is flushed when this is dropped.
    pub(crate) fn loaded(&self, handle: u32) -> Loaded<'_> {
        Loaded { tpm: self, handle }
    }
}

/// Head off, length and tag checked.
fn taken_apart(command: &'static str, answer: &[u8], with_sessions: bool) -> Result<Answer, TpmError> {
    let mut reader = Reader::new(command, answer);
    let (tag, length, code) = (reader.u16()?, reader.u32()?, reader.u32()?);
    if usize::try_from(length).ok() != Some(answer.len()) {
        return Err(reader.malformed("its length is another one than it says"));
    }
    if code != 0 {
        return Err(TpmError::Refused {
            command,
            code: ResponseCode(code),
        });
    }
    if tag != if with_sessions { SESSIONS } else { NO_SESSIONS } {
        return Err(reader.malformed("its tag is not that of its command"));
    }
    let bytes = reader.rest().to_vec();
    Ok(Answer {
        command,
        bytes,
        with_sessions,
    })
}

/// An object or session in the TPM's memory, of which it has little: gone when this is dropped.
pub(crate) struct Loaded<'t> {
    tpm: &'t Tpm,
    pub(crate) handle: u32,
}

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        // The handle is a parameter of this command (Part 3, 28.4). If it fails, the resource manager forgets it with the device.
        drop(self.tpm.ask(FLUSH_CONTEXT, &[], &self.handle.to_be_bytes()));
    }
}
