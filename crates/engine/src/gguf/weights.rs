//! The weights: one pass over the file, in order, digesting every byte that is used and every byte that is not.

use aws_lc_rs::digest::Context;

use super::reader::read_exact_at;
use super::{Gguf, GgufError, Tensor};

const CHUNK: usize = 4 << 20;

/// A pass over the file behind the header.
struct Pass<'a> {
    gguf: &'a Gguf,
    at: u64,
    digest: Context,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Gguf {
    /// Hands each tensor and its bytes to `visit`, in the order of the file, and returns the SHA-256 of the whole
    /// file: of the very bytes that were parsed and handed out. `progress` hears bytes done and bytes in all.
    pub(crate) fn read_tensors<E: From<GgufError>>(
        &self,
        progress: &mut dyn FnMut(u64, u64),
        mut visit: impl FnMut(&Tensor, &[u8]) -> Result<(), E>,
    ) -> Result<[u8; 32], E> {
        let mut pass = Pass {
            gguf: self,
            at: self.header_end,
            digest: self.digest.clone(),
            progress,
        };
        let mut bytes = Vec::new();
        for tensor in self.tensors() {
            pass.skip(tensor.offset)?;
            bytes.clear();
            if bytes.try_reserve_exact(tensor.bytes).is_err() {
                return Err(GgufError::Memory {
                    name: tensor.name.clone(),
                }
                .into());
            }
            bytes.resize(tensor.bytes, 0);
            pass.fill(&mut bytes)?;
            visit(tensor, &bytes)?;
        }
        pass.skip(self.length)?;
        let digest = pass.digest.finish();
        Ok(digest
            .as_ref()
            .try_into()
            .map_err(|_other_length| GgufError::Truncated)?)
    }
}

impl Pass<'_> {
    /// Reads the next bytes.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), GgufError> {
        for chunk in bytes.chunks_mut(CHUNK) {
            read_exact_at(&self.gguf.file, chunk, self.at)?;
            self.digest.update(chunk);
            self.at = self.at.saturating_add(chunk.len() as u64);
            (self.progress)(self.at, self.gguf.length);
        }
        Ok(())
    }

    /// Digests everything up to a place in the file.
    fn skip(&mut self, to: u64) -> Result<(), GgufError> {
        let mut gap = Vec::new();
        while self.at < to {
            let left = usize::try_from(to.saturating_sub(self.at)).unwrap_or(usize::MAX);
            gap.resize(left.min(CHUNK), 0);
            self.fill(&mut gap)?;
        }
        Ok(())
    }
}
