//! `scaler simulate`: a table on standard output, progress on standard error, CSV and SVG on request.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use scaler::decide::policy::Drive;
use scaler::simulate::contest::{Contestant, Ours, run};
use scaler::simulate::generate::{Shape, generate};
use scaler::simulate::picture::draw;
use scaler::simulate::setting::Setting;
use scaler::simulate::statistics::Summary;

const TEACHING: &str = "\
A trace is a CSV file (or .csv.gz) with the columns arrival_s,input_tokens,output_tokens. Its requests are served by \
simulated GPU nodes that boot, share themselves between four streams, drain and are billed from launch to end. The \
scaler sees only what it sees in production: queue, counts and nodes, never a request's length before it ends.

Reading the table: GPU-h is the bill in hours; mean, p50, p95 and p99 are seconds a request waited before its first \
step; the shares say how many waited ten seconds or a minute at most.

Examples:
  scaler simulate --trace traces/office.csv.gz --policy all
  scaler simulate --trace day.csv.gz --v 0.3 --drive metrics --csv day.csv --svg day.svg
  scaler simulate --trace day.csv.gz --warm-pool 2 --price on
  scaler simulate --make-trace burst --seed 7 > burst.csv";

/// See `TEACHING`.
#[derive(Args)]
#[command(after_long_help = TEACHING)]
pub struct Simulate {
    /// The trace to replay. Files named azure23_* begin with a warm fleet, and their first 300 s are not counted.
    #[arg(long, value_name = "FILE", required_unless_present = "make_trace")]
    trace: Vec<PathBuf>,
    /// Mean seconds from a cold launch to ready; single boots differ by up to 20 %.
    #[arg(long, default_value_t = 240.0)]
    boot: f64,
    /// Begin at zero, after ten minutes of silence.
    #[arg(long)]
    cold: bool,
    /// Who launches: the scaler's own calls, or the group's step policy on NodesShort.
    #[arg(long, value_enum, default_value = "calls")]
    drive: DriveName,
    /// GPU-seconds that a request-second of waiting is worth: economy 0.3, interactive 1, premium 5.
    #[arg(long, default_value_t = 1.0)]
    v: f64,
    /// Who scales; repeat it or say `all`.
    #[arg(long, default_value = "les", value_parser = who)]
    policy: Vec<Who>,
    /// Stopped instances kept ready; a launch from them boots in --warm-boot seconds, and each refill is billed.
    #[arg(long, default_value_t = 0)]
    warm_pool: u32,
    /// Mean boot out of the warm pool, seconds.
    #[arg(long, default_value_t = 90.0)]
    warm_boot: f64,
    /// Whether a launch also costs its volume's initialization fee and the drain's tail, in the bill and the decision.
    #[arg(long, value_enum, default_value = "off")]
    price: Switch,
    /// What the scaler first believes of a node's throughput, relative to the truth.
    #[arg(long, default_value_t = 1.0)]
    belief: f64,
    /// Shifts boot times, and makes another trace with --make-trace.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the table as CSV.
    #[arg(long, value_name = "OUT")]
    csv: Option<PathBuf>,
    /// Draw demand, nodes and waits of the first policy on the first trace.
    #[arg(long, value_name = "OUT")]
    svg: Option<PathBuf>,
    /// Write a made-up trace to standard output instead of replaying one.
    #[arg(long, value_enum)]
    make_trace: Option<Shape>,
}

#[derive(Clone, Copy, ValueEnum)]
enum DriveName {
    Calls,
    Metrics,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy)]
enum Who {
    All,
    One(Contestant),
}

fn who(name: &str) -> Result<Who, String> {
    if name == "all" {
        return Ok(Who::All);
    }
    Contestant::from_str(name, true).map(Who::One).map_err(|_| {
        let names: Vec<_> = Contestant::ALL.iter().map(|one| one.name()).collect();
        format!("one of: all, {}", names.join(", "))
    })
}

/// One line of the table.
struct Line {
    trace: String,
    policy: &'static str,
    summary: Summary,
}

impl Simulate {
    /// Does it.
    pub fn run(&self) -> anyhow::Result<()> {
        if let Some(shape) = self.make_trace {
            return write_trace(shape, self.seed);
        }
        ensure!(self.boot > 0.0 && self.warm_boot > 0.0, "boot times must be above zero");
        ensure!(self.v >= 0.0 && self.belief > 0.0, "--v must not be negative, --belief must be above zero");
        let mut lines = Vec::new();
        let mut picture = None;
        for path in &self.trace {
            let mut setting = Setting::read(path, self.boot, self.cold)?;
            setting.warm_pool = self.warm_pool;
            setting.warm_boot = self.warm_boot;
            setting.price = self.price == Switch::On;
            setting.seed = self.seed;
            for who in self.contestants() {
                let name = who.name();
                let mut progress = Progress::new(format!("{} {name}", setting.name));
                let (done, summary) = run(who, &setting, self.ours(), &mut |share| progress.show(share));
                drop(progress);
                if picture.is_none() && self.svg.is_some() {
                    let title = format!("{}, {name}, boot {:.0} s, v {}", setting.name, self.boot, self.v);
                    picture = Some(draw(&title, &setting, &done));
                }
                lines.push(Line { trace: setting.name.clone(), policy: name, summary });
            }
        }
        table(&lines, &mut io::stdout().lock())?;
        if let Some(path) = &self.csv {
            csv_table(&lines, path).with_context(|| format!("writing {}", path.display()))?;
        }
        if let (Some(path), Some(picture)) = (&self.svg, picture) {
            fs::write(path, picture).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }

    fn ours(&self) -> Ours {
        let drive = match self.drive {
            DriveName::Calls => Drive::Calls,
            DriveName::Metrics => Drive::Metrics,
        };
        Ours { value_of_waiting: self.v, drive, belief: self.belief, withdraw: true }
    }

    fn contestants(&self) -> Vec<Contestant> {
        let each = |who: &Who| match who {
            Who::All => Contestant::ALL.to_vec(),
            Who::One(one) => vec![*one],
        };
        self.policy.iter().flat_map(each).collect()
    }
}

fn write_trace(shape: Shape, seed: u64) -> anyhow::Result<()> {
    let mut out = csv::Writer::from_writer(io::stdout().lock());
    out.write_record(["arrival_s", "input_tokens", "output_tokens"])?;
    for request in generate(shape, seed) {
        let row = [format!("{:.2}", request.arrival), request.prompt.to_string(), request.output.to_string()];
        out.write_record(&row)?;
    }
    out.flush()?;
    Ok(())
}

const HEAD: [&str; 11] =
    ["trace", "policy", "GPU-h", "launches", "mean s", "p50", "p95", "p99", "<=10 s", "<=60 s", "requests"];

fn cells(line: &Line) -> [String; 11] {
    let Line { trace, policy, summary: sum } = line;
    [
        trace.clone(),
        (*policy).to_owned(),
        format!("{:.1}", sum.hours),
        sum.launches.to_string(),
        format!("{:.2}", sum.mean),
        format!("{:.1}", sum.p50),
        format!("{:.1}", sum.p95),
        format!("{:.1}", sum.p99),
        format!("{:.1} %", 100.0 * sum.within_10),
        format!("{:.1} %", 100.0 * sum.within_60),
        sum.requests.to_string(),
    ]
}

fn table(lines: &[Line], out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<_> = std::iter::once(HEAD.map(str::to_owned)).chain(lines.iter().map(cells)).collect();
    let widths: Vec<usize> =
        (0..HEAD.len()).map(|i| rows.iter().map(|row| row[i].len()).max().unwrap_or(0)).collect();
    for row in &rows {
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if i < 2 { write!(out, "{cell:<width$}  ")? } else { write!(out, "{cell:>width$}  ")? }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn csv_table(lines: &[Line], path: &std::path::Path) -> anyhow::Result<()> {
    let mut out = csv::Writer::from_path(path)?;
    out.write_record(HEAD)?;
    for line in lines {
        out.write_record(cells(line).map(|cell| cell.replace(" %", "")))?;
    }
    out.flush()?;
    Ok(())
}

/// A line on standard error that says how far a replay is; only where somebody looks.
struct Progress {
    name: String,
    percent: u32,
    on: bool,
}

impl Progress {
    fn new(name: String) -> Self {
        Self { name, percent: u32::MAX, on: io::stderr().is_terminal() }
    }

    fn show(&mut self, share: f64) {
        let percent = (100.0 * share) as u32;
        if self.on && percent != self.percent {
            self.percent = percent;
            let _ = write!(io::stderr().lock(), "\r{}: {percent} %   ", self.name);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.on {
            let _ = write!(io::stderr().lock(), "\r{:width$}\r", "", width = self.name.len() + 10);
        }
    }
}
