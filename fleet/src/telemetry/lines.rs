//! Lines on their way to stderr. A request copies its line into memory and goes on; a thread writes what has gathered,
//! twenty times a second. A channel would wake that thread for every line: half as dear as the request itself.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait in memory.
const WRITE_EVERY: Duration = Duration::from_millis(50);
/// Bytes that may wait. A reader that is further behind has stalled, and then lines are lost and counted rather than
/// requests held up.
const WAITING_BYTES: usize = 5 << 20;

/// What waits, shared by everybody who logs.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    bytes: Mutex<Vec<u8>>,
    lost: AtomicUsize,
}

impl Lines {
    /// Begins to write to `out`, until the writer is dropped.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<(Self, Writer)> {
        let lines = Self::default();
        let (stop, stopped) = mpsc::channel();
        let waiting = lines.clone();
        let thread =
            thread::Builder::new().name("log".to_owned()).spawn(move || waiting.write(out, &stopped))?;
        Ok((lines, Writer { stop: Some(stop), thread: Some(thread) }))
    }

    /// Lines lost since the start.
    pub fn lost(&self) -> usize {
        self.0.lost.load(Relaxed)
    }

    fn write(&self, mut out: impl Write, stopped: &mpsc::Receiver<()>) {
        let mut writing = Vec::new();
        loop {
            let last = !matches!(stopped.recv_timeout(WRITE_EVERY), Err(RecvTimeoutError::Timeout));
            // The two buffers change places, so that neither is made anew and nobody waits for the reader of stderr.
            mem::swap(&mut writing, &mut self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner));
            let _ = out.write_all(&writing); // there is nowhere left to say that it failed
            writing.clear();
            if last {
                return;
            }
        }
    }
}

impl Write for &Lines {
    /// Takes one whole line: the formatter writes each event at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() + line.len() > WAITING_BYTES {
            self.0.lost.fetch_add(1, Relaxed);
        } else {
            waiting.extend_from_slice(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// The writing thread; dropped, it writes what still waits and ends.
#[derive(Debug)]
pub(super) struct Writer {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Capture;
    use super::*;

    #[test]
    fn every_line_comes_out_in_order_and_the_last_ones_at_the_end() {
        let out = Capture::default();
        let (lines, writer) = Lines::start(out.clone()).unwrap();
        let mut expected = String::new();
        for n in 0..1000 {
            let line = format!("line {n}\n");
            (&lines).write_all(line.as_bytes()).unwrap();
            expected.push_str(&line);
        }
        drop(writer);
        assert_eq!(out.text(), expected);
        assert_eq!(lines.lost(), 0);
    }

    /// A stderr that nobody reads.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stalls_costs_lines_and_never_a_wait() {
        let (go_on, stuck) = mpsc::channel();
        let (lines, writer) = Lines::start(Stuck(stuck)).unwrap();
        let line = [b'x'; 1 << 20];
        for _ in 0..20 {
            (&lines).write_all(&line).unwrap();
        }
        assert!((10..20).contains(&lines.lost()), "{} of 20 MiB lost", lines.lost());
        drop(go_on);
        drop(writer);
    }
}
