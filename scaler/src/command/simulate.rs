//! `scaler simulate`: a table on standard output, progress on standard error, CSV and SVG on request.

mod aims;
mod progress;
mod table;

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use scaler::decide::policy::Drive;
use scaler::simulate::contest::{Contestant, Ours, run};
use scaler::simulate::faults::Faults;
use scaler::simulate::generate::{Shape, generate};
use scaler::simulate::picture::draw;
use scaler::simulate::setting::Setting;

use progress::Progress;
use table::Line;

const TEACHING: &str = "\
A trace is a CSV file (or .csv.gz) with the columns arrival_s,input_tokens,output_tokens. Its requests are served by \
simulated GPU nodes that boot, share themselves between four streams, drain and are billed from launch to end. The \
scaler sees only what it sees in production: queue, counts and nodes, never a request's length before it ends.

Reading the table: GPU-h is the bill in hours; mean, p50, p95 and p99 are seconds a request waited before its first \
step; the shares say how many waited ten seconds or a minute at most; lost never began; cut ended with their node.

Examples:
  scaler simulate --trace traces/office.csv.gz --policy all
  scaler simulate --trace day.csv.gz --value 0.3 --drive both --csv day.csv --svg day.svg
  scaler simulate --trace day.csv.gz --warm-pool 2 --price whole
  scaler simulate --trace day.csv.gz --faults all
  scaler simulate --aims FOLDER --seeds 5
  scaler simulate --make-trace burst --seed 7 > burst.csv";

/// See `TEACHING`.
#[derive(Args)]
#[command(after_long_help = TEACHING)]
pub struct Simulate {
    /// The trace to replay. Files named azure23_* begin with a warm fleet, and their first 300 s are not counted.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["make_trace", "aims"])]
    trace: Vec<PathBuf>,
    /// Replay the recorded traces in this folder, print what is aimed at and what is reached, and nothing else. The rows
    /// set trace, boot and beginning themselves.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["trace", "make_trace", "csv", "svg", "cold", "boot"])]
    aims: Option<PathBuf>,
    /// Mean seconds from a cold launch to ready; single boots differ by up to 20 %.
    #[arg(long, default_value_t = 240.0)]
    boot: f64,
    /// Begin at zero, after ten minutes of silence.
    #[arg(long)]
    cold: bool,
    /// Who launches: the scaler's own calls, the group's step policy on NodesShort, or one after the other.
    #[arg(long, value_enum, default_value = "calls")]
    drive: DriveName,
    /// GPU-seconds that a request-second of waiting is worth: economy 0.3, interactive 1, premium 5.
    #[arg(long, visible_alias = "v", default_value_t = 1.0)]
    value: f64,
    /// Who scales; repeat it or say `all`.
    #[arg(long, default_value = "les", value_parser = who)]
    policy: Vec<Who>,
    /// Stopped instances kept ready; a launch from them boots in --warm-boot seconds, and each refill is billed.
    #[arg(long, default_value_t = 0)]
    warm_pool: u32,
    /// Mean boot out of the warm pool, seconds.
    #[arg(long, default_value_t = 90.0)]
    warm_boot: f64,
    /// What a launch costs, in the bill and in the decision: its boot, or the whole: the volume's initialization fee, the
    /// refill of the warm pool and the drain's tail too.
    #[arg(long, value_enum, default_value = "boot")]
    price: Price,
    /// What goes wrong, at rates worse than any we want to see.
    #[arg(long, value_enum, default_value = "none")]
    faults: Wrong,
    /// Leave launches alone that nobody will need any more.
    #[arg(long)]
    no_withdraw: bool,
    /// What the scaler first believes of a node's throughput, relative to the truth.
    #[arg(long, default_value_t = 1.0)]
    belief: f64,
    /// Shifts boot times, and makes another trace with --make-trace.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With --aims: replay each row with so many seeds, from --seed on, and show the means.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "aims")]
    seeds: u64,
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
    Both,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Price {
    Boot,
    Whole,
}

#[derive(Clone, Copy, ValueEnum)]
enum Wrong {
    None,
    Boots,
    Spot,
    Capacity,
    Reports,
    All,
}

impl Wrong {
    fn faults(self) -> Faults {
        let (none, all) = (Faults::default(), Faults::HARSH);
        match self {
            Self::None => none,
            Self::Boots => Faults { failed_boots: all.failed_boots, ..none },
            Self::Spot => Faults { notices: all.notices, ..none },
            Self::Capacity => Faults { refusals: all.refusals, ..none },
            Self::Reports => Faults { silence: all.silence, ..none },
            Self::All => all,
        }
    }
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

impl Simulate {
    /// Does it.
    pub fn run(&self) -> anyhow::Result<()> {
        if let Some(shape) = self.make_trace {
            return write_trace(shape, self.seed);
        }
        ensure!(self.boot > 0.0 && self.warm_boot > 0.0, "boot times must be above zero");
        ensure!(self.value >= 0.0, "--value must not be negative, it is {}", self.value);
        ensure!(self.belief > 0.0, "--belief must be above zero, it is {}", self.belief);
        if let Some(folder) = &self.aims {
            let ours = self.ours(self.drives()[0]);
            ensure!(self.seeds > 0, "--seeds must be above zero");
            let arrange = |setting: &mut Setting| self.arrange(setting);
            return aims::print(folder, ours, self.seeds, arrange, &mut io::stdout().lock());
        }
        let (lines, picture) = self.replay()?;
        table::print(&lines, &mut io::stdout().lock())?;
        if let Some(path) = &self.csv {
            table::save(&lines, path).with_context(|| format!("writing {}", path.display()))?;
        }
        if let (Some(path), Some(picture)) = (&self.svg, picture) {
            fs::write(path, picture).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }

    /// Every trace with every policy: the lines of the table, and the picture of the first.
    fn replay(&self) -> anyhow::Result<(Vec<Line>, Option<String>)> {
        let (mut lines, mut picture) = (Vec::new(), None);
        for path in &self.trace {
            let mut setting = Setting::read(path, self.boot, self.cold)?;
            self.arrange(&mut setting);
            for (who, drive) in self.entries() {
                let name = match drive {
                    Drive::Calls => who.name().to_owned(),
                    Drive::Metrics => format!("{} by metrics", who.name()),
                };
                let mut progress = Progress::new(format!("{} {name}", setting.name));
                let (done, summary) = run(who, &setting, self.ours(drive), &mut |share| progress.show(share));
                drop(progress);
                if picture.is_none() && self.svg.is_some() {
                    let title =
                        format!("{}, {name}, boot {:.0} s, v {}", setting.name, self.boot, self.value);
                    picture = Some(draw(&title, &setting, &done));
                }
                lines.push(Line { trace: setting.name.clone(), policy: name, summary });
            }
        }
        Ok((lines, picture))
    }

    fn arrange(&self, setting: &mut Setting) {
        setting.warm_pool = self.warm_pool;
        setting.warm_boot = self.warm_boot;
        setting.price = self.price == Price::Whole;
        setting.faults = self.faults.faults();
        setting.seed = self.seed;
    }

    fn ours(&self, drive: Drive) -> Ours {
        Ours { value_of_waiting: self.value, drive, belief: self.belief, withdraw: !self.no_withdraw }
    }

    fn drives(&self) -> Vec<Drive> {
        match self.drive {
            DriveName::Calls => vec![Drive::Calls],
            DriveName::Metrics => vec![Drive::Metrics],
            DriveName::Both => vec![Drive::Calls, Drive::Metrics],
        }
    }

    /// Who is replayed, ours once for each drive.
    fn entries(&self) -> Vec<(Contestant, Drive)> {
        let each = |who| match who {
            Contestant::Les => self.drives().into_iter().map(|drive| (who, drive)).collect(),
            _ => vec![(who, Drive::Calls)],
        };
        self.contestants().into_iter().flat_map(each).collect()
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
