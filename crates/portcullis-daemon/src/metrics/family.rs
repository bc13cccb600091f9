//! One family of metrics in the making: name, help, type, and a series for each set of labels.

use portcullis_plan::live::{BOUNDS, HistogramTotals};
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

/// A family without series is left out of the page.
pub(super) struct Family {
    family: MetricFamily,
    series: Vec<Metric>,
}

impl Family {
    /// A number that only grows; its name ends in `_total`.
    pub(super) fn counter(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::COUNTER)
    }

    /// A number that goes up and down.
    pub(super) fn gauge(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::GAUGE)
    }

    /// A distribution of durations in seconds.
    pub(super) fn histogram(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::HISTOGRAM)
    }

    fn new(name: &str, help: &str, kind: MetricType) -> Self {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Self {
            family,
            series: Vec::new(),
        }
    }

    /// A series of a counter or gauge.
    pub(super) fn add<const N: usize>(&mut self, labels: [(&str, &str); N], value: f64) {
        let mut metric = Metric::from_label(pairs(labels));
        match self.family.get_field_type() {
            MetricType::COUNTER => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            _ => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        }
        self.series.push(metric);
    }

    /// A series of a whole number.
    pub(super) fn count<const N: usize>(&mut self, labels: [(&str, &str); N], value: u64) {
        // Prometheus knows only floats; sums beyond 2^53 lose their last digits everywhere.
        self.add(labels, value as f64);
    }

    /// A series of a histogram.
    pub(super) fn observe<const N: usize>(
        &mut self,
        labels: [(&str, &str); N],
        totals: &HistogramTotals,
    ) {
        let mut below = 0;
        let buckets = BOUNDS.iter().zip(&totals.buckets).map(|(bound, count)| {
            below += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(totals.count());
        histogram.set_sample_sum(totals.sum_seconds());
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_histogram(histogram);
        self.series.push(metric);
    }

    /// The family for the encoder; `None` without series.
    pub(super) fn finish(mut self) -> Option<MetricFamily> {
        if self.series.is_empty() {
            return None;
        }
        self.family.set_metric(self.series);
        Some(self.family)
    }
}

fn pairs<const N: usize>(labels: [(&str, &str); N]) -> Vec<LabelPair> {
    let pair = |(name, value): (&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    labels.into_iter().map(pair).collect()
}
