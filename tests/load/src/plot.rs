//! The picture of a run: latencies and deliveries, second by second.

use plotters::prelude::*;

use crate::Outcome;
use crate::report::Second;

const SIZE: (u32, u32) = (960, 480);

/// Draws the seconds as SVG: latencies on the left on a logarithmic scale, deliveries on the right.
pub(crate) fn svg(scenario: &str, stand: &str, seconds: &[Second]) -> Outcome<String> {
    let mut picture = String::new();
    draw(&mut picture, scenario, stand, seconds).map_err(|error| error.to_string())?;
    Ok(picture)
}

fn draw(
    picture: &mut String,
    scenario: &str,
    stand: &str,
    seconds: &[Second],
) -> Result<(), Box<dyn std::error::Error>> {
    let millis = |micros: u64| std::time::Duration::from_micros(micros.max(1)).as_secs_f64() * 1e3;
    let last = seconds.iter().map(|second| second.second).max().unwrap_or_default() + 1;
    let slowest = seconds.iter().map(|second| millis(second.p99)).fold(1.0, f64::max);
    let most = seconds.iter().map(|second| second.delivered).max().unwrap_or_default().max(1);
    let area = SVGBackend::with_string(picture, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("{scenario}: {stand}"), ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .right_y_label_area_size(64)
        .build_cartesian_2d(0..last, (0.1..slowest * 2.0).log_scale())?
        .set_secondary_coord(0..last, 0..most + most / 5);
    chart
        .configure_mesh()
        .x_desc("seconds after the beginning, by when a message was due")
        .y_desc("delivery, ms")
        .draw()?;
    chart.configure_secondary_axes().y_desc("delivered a second").draw()?;
    let delivered = seconds.iter().map(|second| (second.second, second.delivered));
    chart
        .draw_secondary_series(LineSeries::new(delivered, RGBColor(170, 170, 170).stroke_width(2)))?
        .label("delivered")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], RGBColor(170, 170, 170)));
    for (name, colour, value) in [
        ("p99", RGBColor(200, 60, 40), (|second: &Second| second.p99) as fn(&Second) -> u64),
        ("p50", RGBColor(40, 90, 180), |second: &Second| second.p50),
    ] {
        let line = seconds.iter().map(|second| (second.second, millis(value(second))));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
    }
    chart.configure_series_labels().border_style(BLACK.mix(0.3)).draw()?;
    area.present()?;
    Ok(())
}
