//! `wasi:random`. All three interfaces use the tank's entropy source: the same seed and cell give the same bytes.

use super::bindings::wasi::random::{insecure, insecure_seed, random};
use crate::store::CellState;
use crate::trap::Misuse;
use wasmtime::Result;

/// The most bytes that one call may ask for. There is a limit because the guest chooses the length and the host
/// allocates it.
const MAX_BYTES: u64 = 1024 * 1024;

impl CellState {
    fn random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        if len > MAX_BYTES {
            return Err(Misuse::TooManyRandomBytes { asked: len, most: MAX_BYTES }.into());
        }
        let mut bytes = vec![0; len as usize];
        (self.entropy)(&mut bytes);
        Ok(bytes)
    }

    fn random_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        (self.entropy)(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

impl random::Host for CellState {
    fn get_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        Ok(self.random_u64())
    }
}

impl insecure::Host for CellState {
    fn get_insecure_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        Ok(self.random_u64())
    }
}

impl insecure_seed::Host for CellState {
    /// One value for the life of an instance, because a later version of WASI makes it a value import.
    fn insecure_seed(&mut self) -> Result<(u64, u64)> {
        if let Some(seed) = self.insecure_seed {
            return Ok(seed);
        }
        let seed = (self.random_u64(), self.random_u64());
        self.insecure_seed = Some(seed);
        Ok(seed)
    }
}
