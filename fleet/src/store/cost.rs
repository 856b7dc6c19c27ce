//! What the table costs in DynamoDB, reckoned from what is really written: prices of `us-east-1`, on demand, a month of
//! 730 hours in which every node is up. Printed by the test; the decision record on the stores shows it.

use crate::lease::{POLL_EVERY, RENEW_EVERY, WATCH_EVERY};
use crate::report::tests::full;
use crate::report::{NodeRecord, Report, ReportAnswer, Summary};

const MONTH: f64 = 730.0 * 3600.0;
/// Of one write unit (a begun KiB of the item) and one read unit (4 begun KiB, read consistently; half of it otherwise).
const WRITE: f64 = 0.625e-6;
const READ: f64 = 0.125e-6;

/// `[fleet] report_every_seconds`: how often reports are written and read.
const EVERY: f64 = 2.0;
/// How often gateways refresh the deny list, and fronts and nodes the wanted models.
const LISTS: f64 = 5.0;

/// Up to here everyone reads the reports; above, a summary.
const SMALL_FLEET: usize = 24;

/// Bytes of a node's item as the table counts them: names and values; numbers by two digits a byte, and one more.
fn item_bytes(report: &Report) -> usize {
    let texts = ["PK", "FLEET#production", "SK", "NODE#", &report.node, "report", "order", "drain"];
    let numbers = [("written_at", 10), ("expires_at", 10), ("order_seq", 5), ("order_until", 10)];
    let numbers: usize =
        numbers.iter().map(|(name, digits): &(&str, usize)| name.len() + digits.div_ceil(2) + 1).sum();
    texts.iter().map(|text| text.len()).sum::<usize>() + numbers + report.encode().unwrap().len()
}

fn written(bytes: usize) -> f64 {
    bytes.div_ceil(1024) as f64
}

fn read(bytes: usize) -> f64 {
    bytes.div_ceil(4096) as f64
}

/// Dollars a month of one call every so many seconds, at so many units of this price.
fn monthly(every: f64, units: f64, price: f64) -> f64 {
    MONTH / every * units * price
}

struct Cost {
    rows: Vec<(&'static str, f64)>,
}

/// `nodes` and one front, each a gateway that writes and reads.
fn cost(nodes: usize) -> Cost {
    let report = full("i-0123456789abcdef0");
    let gateways = nodes + 1;
    let many = gateways as f64;
    let reports = read(gateways * item_bytes(&report));
    let record = NodeRecord { report: report.clone(), written_at: 0, answer: ReportAnswer::default() };
    let summary = serde_json::to_string(&Summary::of(&vec![record; gateways], 0)).unwrap().len();
    let small = gateways <= SMALL_FLEET;
    let one_reader = if small { reports } else { read(summary) / 2.0 };
    let candidates = 2.0;
    let rows = vec![
        ("one report's writer", monthly(EVERY, written(item_bytes(&report)), WRITE)),
        ("all reports' writers", many * monthly(EVERY, written(item_bytes(&report)), WRITE)),
        ("one reader", monthly(EVERY, one_reader, READ)),
        ("all gateways reading", many * monthly(EVERY, one_reader, READ)),
        ("the leader reading all reports", monthly(EVERY, reports, READ)),
        ("the leader's summary", if small { 0.0 } else { monthly(EVERY, written(summary), WRITE) }),
        (
            "lease",
            monthly(RENEW_EVERY.as_secs_f64(), 1.0, WRITE)
                + (candidates - 1.0) * monthly(POLL_EVERY.as_secs_f64(), 1.0, READ)
                + many * monthly(WATCH_EVERY.as_secs_f64(), 1.0, READ),
        ),
        ("deny list and models", many * monthly(LISTS, 0.5 + 1.0, READ)),
        ("state, read twice a second", monthly(0.5, 1.0, READ)),
    ];
    Cost { rows }
}

impl Cost {
    /// Without the two rows that are one of many.
    fn total(&self) -> f64 {
        self.rows.iter().filter(|(name, _)| !name.starts_with("one ")).map(|(_, dollars)| dollars).sum()
    }
}

#[test]
fn the_store_costs_a_small_part_of_a_node() {
    let (ten, hundred) = (cost(10), cost(100));
    println!("{:34} {:>10} {:>10}", "USD a month", "10 nodes", "100 nodes");
    for ((name, small), (_, large)) in ten.rows.iter().zip(&hundred.rows) {
        println!("{name:34} {small:>10.2} {large:>10.2}");
    }
    println!("{:34} {:>10.2} {:>10.2}", "in all", ten.total(), hundred.total());
    println!("{:34} {:>10.2}", "a million requests, two writes each", 2e6 * WRITE);
    // A g4dn.xlarge is some 384 dollars a month: 0.526 an hour.
    assert!(ten.total() < 0.01 * 10.0 * 384.0, "{}", ten.total());
    assert!(hundred.total() < 0.01 * 100.0 * 384.0, "{}", hundred.total());
}

#[test]
fn a_report_with_an_order_is_one_write_unit() {
    let bytes = item_bytes(&full("i-0123456789abcdef0"));
    println!("a node's item has {bytes} bytes");
    assert!(bytes <= 1024, "{bytes}");
}
