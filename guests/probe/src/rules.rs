//! Rules of WASI's text that hosts tend to forget.

use wasip2::{
    cli::{stdin::get_stdin, stdout::get_stdout},
    clocks::monotonic_clock::now,
    io::{poll::poll, streams::StreamError},
    random::insecure_seed::insecure_seed,
};
use wavetank_guest::{Error, Result};

/// Asks for a permit on each of two handles on stdout, then writes all of each permit by its handle.
pub fn handles() -> Result<()> {
    write_by_both().map_err(|error| Error::guest(format!("stdout: {error}")))
}

fn write_by_both() -> std::result::Result<(), StreamError> {
    let handles = [get_stdout(), get_stdout()];
    let ready = handles.each_ref().map(|stdout| stdout.subscribe());
    loop {
        let permits = [handles[0].check_write()?, handles[1].check_write()?];
        if permits.contains(&0) {
            poll(&ready.each_ref());
            continue;
        }
        for ((stdout, letter), permit) in handles.iter().zip([b'a', b'b']).zip(permits) {
            stdout.write(&vec![letter; permit as usize])?;
        }
        return Ok(());
    }
}

/// Writes a zero without a permit: `write-zeroes` has the preconditions of `write`.
pub fn zeroes() -> Result<()> {
    let written = get_stdout().write_zeroes(1);
    Err(Error::guest(format!("not reached: {written:?}")))
}

/// Reads until stdin breaks, then on until three reads have failed. Prints the errors on stdout, which is open.
pub fn broken() -> Result<()> {
    let stdin = get_stdin();
    let mut errors = Vec::new();
    while errors.len() < 3 {
        if let Err(error) = stdin.blocking_read(64) {
            errors.push(match error {
                StreamError::Closed => "closed",
                StreamError::LastOperationFailed(_) => "last-operation-failed",
            });
        }
    }
    println!("errors: {errors:?}");
    Ok(())
}

/// Prints three successive readings of the monotonic clock.
pub fn looks() -> Result<()> {
    let looks = [now(), now(), now()];
    println!("looks: {looks:?}");
    Ok(())
}

/// Prints whether a second call gives the same seed as the first.
pub fn seeds() -> Result<()> {
    println!("same: {}", insecure_seed() == insecure_seed());
    Ok(())
}
