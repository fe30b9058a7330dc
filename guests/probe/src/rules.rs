//! Rules of WASI's text that hosts forget.

use wasip2::{
    cli::{stdin::get_stdin, stdout::get_stdout},
    clocks::monotonic_clock::now,
    io::{poll::poll, streams::StreamError},
    random::insecure_seed::insecure_seed,
};
use wavetank_guest::{Error, Result};

/// Asks two handles on stdout what may be written, then writes all of that by each.
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

/// `write-zeroes` has the preconditions of `write`.
pub fn zeroes() -> Result<()> {
    let written = get_stdout().write_zeroes(1);
    Err(Error::guest(format!("not reached: {written:?}")))
}

/// Reads until stdin breaks, and twice more; then asks stdout the same, which is open.
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

/// Prints what three looks in a row show.
pub fn looks() -> Result<()> {
    let looks = [now(), now(), now()];
    println!("looks: {looks:?}");
    Ok(())
}

/// Prints whether a second call gives what the first gave.
pub fn seeds() -> Result<()> {
    println!("same: {}", insecure_seed() == insecure_seed());
    Ok(())
}
