//! The table of replays, for people and as CSV.

use std::io::{self, Write};
use std::path::Path;

use scaler::simulate::statistics::Summary;

/// One line of it.
pub struct Line {
    /// The trace.
    pub trace: String,
    /// Who scaled.
    pub policy: String,
    /// How it went.
    pub summary: Summary,
}

const HEAD: [&str; 13] = [
    "trace", "policy", "GPU-h", "launches", "mean s", "p50", "p95", "p99", "<=10 s %", "<=60 s %",
    "requests", "lost", "cut",
];

fn cells(line: &Line) -> Vec<String> {
    let Line { trace, policy, summary: sum } = line;
    vec![
        trace.clone(),
        policy.clone(),
        format!("{:.1}", sum.hours),
        sum.launches.to_string(),
        format!("{:.2}", sum.mean),
        format!("{:.1}", sum.p50),
        format!("{:.1}", sum.p95),
        format!("{:.1}", sum.p99),
        format!("{:.1}", 100.0 * sum.within_10),
        format!("{:.1}", 100.0 * sum.within_60),
        sum.requests.to_string(),
        sum.lost.to_string(),
        sum.cut.to_string(),
    ]
}

/// For people.
pub fn print(lines: &[Line], out: &mut impl Write) -> io::Result<()> {
    let head = HEAD.map(str::to_owned).to_vec();
    align(&std::iter::once(head).chain(lines.iter().map(cells)).collect::<Vec<_>>(), 2, out)
}

/// Rows of equally many cells in columns; the first `left` of them begin at the left, the others end at the right.
pub fn align(rows: &[Vec<String>], left: usize, out: &mut impl Write) -> io::Result<()> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            line += &if i < left { format!("{cell:<width$}  ") } else { format!("{cell:>width$}  ") };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// As CSV.
pub fn save(lines: &[Line], path: &Path) -> anyhow::Result<()> {
    let mut out = csv::Writer::from_path(path)?;
    out.write_record(HEAD)?;
    for line in lines {
        out.write_record(cells(line))?;
    }
    out.flush()?;
    Ok(())
}
