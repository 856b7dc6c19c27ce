//! The table of aims: what our controller reaches on the recorded traces, row by row, and what the rows come to together.

use std::io::{self, Write};
use std::path::Path;

use scaler::simulate::aims::{AIMS, Aim};
use scaler::simulate::contest::{Contestant, Ours, run};
use scaler::simulate::setting::Setting;
use scaler::simulate::statistics::Summary;

use super::progress::Progress;
use super::table::align;

/// Traces longer than this can show what is learned in the first hour.
const HOUR: f64 = 3600.0;

/// One row, replayed.
struct Played {
    yardstick: f64,
    setting: Setting,
    got: Summary,
}

/// Prints it. `arrange` sets the machines as the command line asks; each row is replayed with so many seeds, beginning
/// with that of the command line, and shows their means.
pub fn print(
    folder: &Path,
    ours: Ours,
    seeds: u64,
    arrange: impl Fn(&mut Setting),
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let head = ["trace", "boot", "GPU-h", "<=", "mean s", "<=", "p95", "<=", "<=10 s %", ">=", "", "lost"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let (mut cold_boots, mut reached) = (Vec::new(), 0);
    for aim in &AIMS {
        let mut setting = aim.setting(folder)?;
        arrange(&mut setting);
        let first = setting.seed;
        let got: Vec<_> = (0..seeds)
            .map(|i| play(Contestant::Les, &Setting { seed: first + i, ..setting.clone() }, ours))
            .collect();
        reached += got.iter().filter(|one| aim.missed(one).is_empty()).count();
        rows.push(row(aim, &setting.name, &got));
        if aim.boot >= 240.0
            && let Some(got) = got.into_iter().next()
        {
            cold_boots.push(Played { yardstick: aim.yardstick, setting, got });
        }
    }
    align(&rows, 1, out)?;
    writeln!(out, "{reached} of {} rows met", AIMS.len() as u64 * seeds)?;
    together(&cold_boots, ours, out)?;
    frontier(&cold_boots, ours, out)?;
    unknown_throughput(&cold_boots, ours, out)?;
    Ok(())
}

/// The means of one row, and how often it was met.
fn row(aim: &Aim, name: &str, got: &[Summary]) -> Vec<String> {
    let mean = |of: fn(&Summary) -> f64| got.iter().map(of).sum::<f64>() / got.len() as f64;
    let mut missed: Vec<_> = got.iter().flat_map(|one| aim.missed(one)).collect();
    missed.sort_unstable();
    missed.dedup();
    let met = got.iter().filter(|one| aim.missed(one).is_empty()).count();
    let mut verdict = if got.len() > 1 { format!("met by {met} of {}", got.len()) } else { "met".to_owned() };
    if !missed.is_empty() {
        verdict = format!(
            "{}missed: {}",
            if got.len() > 1 { verdict + ", " } else { String::new() },
            missed.join(", ")
        );
    }
    vec![
        name.to_owned(),
        format!("{:.0}", aim.boot),
        format!("{:.1}", mean(|one| one.hours)),
        format!("{:.1}", aim.hours),
        format!("{:.2}", mean(|one| one.mean)),
        format!("{:.1}", aim.mean),
        format!("{:.1}", mean(|one| one.p95)),
        format!("{:.1}", aim.p95),
        format!("{:.2}", 100.0 * mean(|one| one.within_10)),
        format!("{:.1}", 100.0 * aim.within_10),
        verdict,
        got.iter().map(|one| one.lost).sum::<usize>().to_string(),
    ]
}

fn play(who: Contestant, setting: &Setting, ours: Ours) -> Summary {
    let mut progress = Progress::new(format!("{} {}", setting.name, who.name()));
    run(who, setting, ours, &mut |share| progress.show(share)).1
}

/// Hours relative to a clairvoyant (geometric mean of the traces that begin with a fleet or with nobody) and mean wait of
/// all rows, for two values of waiting. Beside the yardstick of the aim stands our own clairvoyant, which needs fewer hours.
fn together(played: &[Played], ours: Ours, out: &mut impl Write) -> io::Result<()> {
    let known: Vec<_> =
        played.iter().map(|one| play(Contestant::Clairvoyant, &one.setting, ours).hours).collect();
    let economy = Ours { value_of_waiting: 0.3, ..ours };
    let cheap: Vec<_> = played.iter().map(|one| play(Contestant::Les, &one.setting, economy)).collect();
    let mine: Vec<_> = played.iter().map(|one| one.got.clone()).collect();
    for (name, got, most) in [("interactive", &mine, (1.05, 4.5)), ("economy", &cheap, (0.90, 6.5))] {
        let hours = |best: &dyn Fn(usize) -> f64| {
            let rows = (0..got.len()).filter(|i| !played[*i].setting.name.ends_with("_cold"));
            let logs: Vec<_> = rows.map(|i| (got[i].hours / best(i)).ln()).collect();
            (logs.iter().sum::<f64>() / logs.len() as f64).exp()
        };
        let wait = got.iter().map(|one| one.mean).sum::<f64>() / got.len() as f64;
        writeln!(
            out,
            "{name}: {:.3} x the yardstick's hours at {wait:.2} s mean wait (aim {:.2} at {:.1} s); {:.3} x our own \
             clairvoyant's",
            hours(&|i| played[i].yardstick),
            most.0,
            most.1,
            hours(&|i| known[i]),
        )?;
    }
    Ok(())
}

/// Baselines with fewer hours and a lower mean wait than ours: there should be none.
fn frontier(played: &[Played], ours: Ours, out: &mut impl Write) -> io::Result<()> {
    let mut better = Vec::new();
    for Played { setting, got: mine, .. } in played {
        for who in Contestant::ALL.into_iter().skip(2) {
            let other = play(who, setting, ours);
            if other.hours < mine.hours && other.mean < mine.mean {
                better.push(format!("{} on {}", who.name(), setting.name));
            }
        }
    }
    let which = if better.is_empty() { "none".to_owned() } else { better.join(", ") };
    writeln!(out, "baselines with fewer hours and a lower mean wait: {which}")
}

/// What a wrong first belief in the throughput costs once it has had an hour to learn.
fn unknown_throughput(played: &[Played], ours: Ours, out: &mut impl Write) -> io::Result<()> {
    for Played { setting, got: exact, .. } in played.iter().filter(|one| one.setting.span() > 2.0 * HOUR) {
        let exact_later = exact.after_first_hour;
        for belief in [0.75, 1.33] {
            let got = play(Contestant::Les, setting, Ours { belief, ..ours }).after_first_hour;
            writeln!(
                out,
                "{}, throughput believed {belief} of the truth: {:+.1} % hours, {:+.1} % wait after the first hour",
                setting.name,
                100.0 * (got.0 / exact_later.0 - 1.0),
                100.0 * (got.1 / exact_later.1 - 1.0),
            )?;
        }
    }
    Ok(())
}
