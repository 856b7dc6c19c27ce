//! The picture: demand, nodes and waits over time, as an SVG that reads in light and in dark.

use std::fmt::Write;

use crate::Seconds;

use super::replay::Replayed;
use super::setting::Setting;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const PANEL: f64 = 150.0;
const GAP: f64 = 46.0;
const TOP: f64 = 50.0;
const BINS: usize = 600;

const STYLE: &str = "<style>\
text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}\
.axis{stroke:#8c959f;stroke-width:1;fill:none}.grid{stroke:#8c959f;stroke-opacity:.25}\
.demand{fill:#0969da;fill-opacity:.35}.living{stroke:#bc4c00;fill:#bc4c00;fill-opacity:.15;stroke-width:1}\
.ready{stroke:#1a7f37;fill:none;stroke-width:1.5}.wait{stroke:#cf222e;fill:#cf222e;fill-opacity:.2;stroke-width:1}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.demand{fill:#58a6ff}.living{stroke:#f0883e;fill:#f0883e}\
.ready{stroke:#3fb950}.wait{stroke:#ff7b72;fill:#ff7b72}}</style>";

/// One panel: its place, its unit, and its scale.
struct Panel {
    top: f64,
    most: f64,
    end: Seconds,
}

impl Panel {
    fn new(row: usize, values: impl Iterator<Item = f64>, end: Seconds) -> Self {
        let most = values.fold(1.0, f64::max) * 1.05;
        Self { top: TOP + row as f64 * (PANEL + GAP), most, end }
    }

    fn x(&self, at: Seconds) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * at / self.end
    }

    fn y(&self, value: f64) -> f64 {
        self.top + PANEL * (1.0 - (value / self.most).min(1.0))
    }

    /// A line through steps; closed along the bottom if it is an area.
    fn steps(&self, class: &str, points: &[(Seconds, f64)], area: bool) -> String {
        let mut path = String::new();
        let mut last = 0.0;
        if area {
            let _ = write!(path, "M{:.1} {:.1}", self.x(0.0), self.y(0.0));
        }
        for (i, (at, value)) in points.iter().enumerate() {
            let (x, y) = (self.x(*at), self.y(*value));
            let begin = if i == 0 && !area { 'M' } else { 'L' };
            let before = if i == 0 { y } else { last };
            let _ = write!(path, "{begin}{x:.1} {before:.1}L{x:.1} {y:.1}");
            last = y;
        }
        if area {
            let _ = write!(
                path,
                "L{:.1} {last:.1}L{:.1} {:.1}Z",
                self.x(self.end),
                self.x(self.end),
                self.y(0.0)
            );
        }
        format!("<path class=\"{class}\" d=\"{path}\"/>")
    }

    fn frame(&self, title: &str) -> String {
        let bottom = self.top + PANEL;
        let mut out = format!("<text x=\"{LEFT}\" y=\"{:.0}\">{title}</text>", self.top - 8.0);
        for part in [0.0, 0.5, 1.0] {
            let (value, y) = (self.most * part / 1.05, self.y(self.most * part / 1.05));
            let (right, label) = (WIDTH - RIGHT, LEFT - 6.0);
            let _ = write!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>");
            let _ =
                write!(out, "<text x=\"{label}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0}</text>", y + 4.0);
        }
        for part in 0..=8 {
            let at = self.end * f64::from(part) / 8.0;
            let (x, y, hours) = (self.x(at), bottom + 15.0, at / 3600.0);
            let _ = write!(out, "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"middle\">{hours:.1} h</text>");
        }
        let _ =
            write!(out, "<path class=\"axis\" d=\"M{LEFT} {:.1}V{bottom:.1}H{}\"/>", self.top, WIDTH - RIGHT);
        out
    }
}

/// Draws one replay.
#[must_use]
pub fn draw(title: &str, setting: &Setting, done: &Replayed) -> String {
    let end = done.samples.last().map_or(1.0, |sample| sample.at.max(1.0));
    let bin = end / BINS as f64;
    let mut demand = vec![(0.0, 0.0); BINS];
    let mut waits = vec![(0.0, 0.0_f64); BINS];
    for i in 0..BINS {
        demand[i].0 = i as f64 * bin;
        waits[i].0 = i as f64 * bin;
    }
    for (request, wait) in setting.requests.iter().zip(&done.waits) {
        let i = ((request.arrival / bin) as usize).min(BINS - 1);
        demand[i].1 += request.work(&setting.rates) / bin / setting.rates.throughput;
        waits[i].1 = waits[i].1.max(f64::from(wait.max(0.0)));
    }
    let living: Vec<_> = done.samples.iter().map(|sample| (sample.at, f64::from(sample.living))).collect();
    let ready: Vec<_> = done.samples.iter().map(|sample| (sample.at, f64::from(sample.ready))).collect();
    let panels = [
        Panel::new(0, demand.iter().map(|point| point.1), end),
        Panel::new(1, living.iter().map(|point| point.1), end),
        Panel::new(2, waits.iter().map(|point| point.1), end),
    ];
    let height = TOP + 3.0 * (PANEL + GAP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{title}\">{STYLE}<text class=\"title\" x=\"{LEFT}\" y=\"22\">{title}</text>"
    );
    out += &panels[0].frame("Demand: full nodes' worth of work arriving");
    out += &panels[0].steps("demand", &demand, true);
    out += &panels[1].frame("Nodes: billed (area), ready (line)");
    out += &panels[1].steps("living", &living, true);
    out += &panels[1].steps("ready", &ready, false);
    out += &panels[2].frame("Longest wait of requests arriving then, seconds");
    out += &panels[2].steps("wait", &waits, true);
    out += "</svg>\n";
    out
}
