//! Prometheus's text format, version 0.0.4: what a scrape reads.

use std::fmt::{Display, Write};

use super::meter::Distribution;

/// The type of a page.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Labels of one sample: names that are fixed, values that are bounded in number.
pub(crate) type Labels<'a> = &'a [(&'static str, &'a str)];

/// What a family of samples is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// What the numbers of a histogram count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Microseconds, which are written as seconds.
    Time,
    /// Ones.
    Count,
}

/// A page that is being written.
#[derive(Default)]
pub(crate) struct Page(String);

impl Page {
    /// Begins a family; its samples follow.
    pub(crate) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// One sample.
    pub(crate) fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let labels = written(labels, None);
        self.line(format_args!("{name}{labels} {value}"));
    }

    /// A family of one sample without labels.
    pub(crate) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// The samples of one histogram.
    pub(crate) fn histogram(&mut self, name: &str, labels: Labels<'_>, values: &Distribution, unit: Unit) {
        for (bound, count) in &values.below {
            let labels = written(labels, Some(&unit.number(*bound)));
            self.line(format_args!("{name}_bucket{labels} {count}"));
        }
        let count = values.count;
        let all = written(labels, Some("+Inf"));
        self.line(format_args!("{name}_bucket{all} {count}"));
        let (labels, sum) = (written(labels, None), unit.number(values.sum));
        self.line(format_args!("{name}_sum{labels} {sum}"));
        self.line(format_args!("{name}_count{labels} {count}"));
    }

    /// The page.
    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a `String` cannot fail.
        let _always: std::fmt::Result = writeln!(self.0, "{line}");
    }
}

impl Unit {
    fn number(self, raw: u64) -> String {
        match self {
            Self::Count => raw.to_string(),
            Self::Time => seconds(raw),
        }
    }
}

/// Microseconds as seconds, exactly and without needless zeros.
pub(crate) fn seconds(micros: u64) -> String {
    let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
    if part == 0 {
        return whole.to_string();
    }
    format!("{whole}.{part:06}").trim_end_matches('0').to_owned()
}

fn written(labels: Labels<'_>, bound: Option<&str>) -> String {
    let pairs = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    if pairs.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", pairs.join(","))
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::meter::Histogram;
    use super::*;

    #[test]
    fn a_page_is_written_to_the_letter() {
        let histogram = Histogram::new(&[1_000, 2_500_000]);
        histogram.observe(1_000);
        histogram.observe(3_000_001);
        let mut page = Page::default();
        page.family("a_seconds", Kind::Histogram, "How long.");
        page.histogram("a_seconds", &[("m", "x")], &histogram.distribution(), Unit::Time);
        page.single("b", Kind::Gauge, "How much.", 7);
        assert_eq!(
            page.finish(),
            "# HELP a_seconds How long.\n# TYPE a_seconds histogram\n\
             a_seconds_bucket{m=\"x\",le=\"0.001\"} 1\na_seconds_bucket{m=\"x\",le=\"2.5\"} 1\n\
             a_seconds_bucket{m=\"x\",le=\"+Inf\"} 2\na_seconds_sum{m=\"x\"} 3.001001\na_seconds_count{m=\"x\"} 2\n\
             # HELP b How much.\n# TYPE b gauge\nb 7\n"
        );
    }

    #[test]
    fn no_value_leaves_its_quotes() {
        assert_eq!(written(&[("a", "\"} 1\nb\\")], None), "{a=\"\\\"} 1\\nb\\\\\"}");
    }
}
