//! Plots, as SVG.

use std::{fs, path::Path};

use anyhow::{Result, anyhow};
use plotters::{
    coord::{
        combinators::IntoLogRange as _,
        ranged1d::{AsRangedCoord, ValueFormatter},
    },
    prelude::*,
};

use crate::scaling::Series;

/// Writes the plot of `series` into `dir`.
pub(crate) fn write(series: &Series, dir: &Path) -> Result<()> {
    let mut svg = String::new();
    let points: Vec<(f64, f64, f64, f64)> = series
        .points
        .iter()
        .filter_map(|(x, samples)| {
            let at = |share| samples.quantile(share);
            Some((*x, at(0.0)?, samples.median()?, at(1.0)?))
        })
        .collect();
    let most = |of: fn(&(f64, f64, f64, f64)) -> f64| points.iter().map(of).fold(0.0, f64::max);
    let least =
        |of: fn(&(f64, f64, f64, f64)) -> f64| points.iter().map(of).fold(f64::MAX, f64::min);
    let (x, y) = (least(|p| p.0)..most(|p| p.0) * 1.05, most(|p| p.3) * 1.2);
    let steep = most(|p| p.3) > 10.0 * least(|p| p.1);
    if !series.logarithmic {
        draw(&mut svg, series, &points, x, 0.0..y)?;
    } else if steep {
        draw(
            &mut svg,
            series,
            &points,
            x.log_scale(),
            (least(|p| p.1) / 2.0..y).log_scale(),
        )?;
    } else {
        draw(&mut svg, series, &points, x.log_scale(), 0.0..y)?;
    }
    fs::write(dir.join(series.name).with_extension("svg"), svg)?;
    Ok(())
}

/// A number for an axis, rounded: in `k` from 10,000 on, in `M` from 1,000,000 on.
fn short(value: &f64) -> String {
    match *value {
        value if value >= 1e6 => format!("{}M", (value / 1e5).round() / 10.0),
        value if value >= 1e4 => format!("{}k", (value / 1e3).round()),
        value => format!("{}", (value * 100.0).round() / 100.0),
    }
}

fn draw<X, Y>(
    svg: &mut String,
    series: &Series,
    points: &[(f64, f64, f64, f64)],
    x: X,
    y: Y,
) -> Result<()>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let failed = |error: String| anyhow!("cannot draw {}: {error}", series.name);
    let area = SVGBackend::with_string(svg, (640, 360)).into_drawing_area();
    area.fill(&WHITE)
        .map_err(|error| failed(error.to_string()))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(series.title, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(x, y)
        .map_err(|error| failed(error.to_string()))?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc(series.x)
        .y_desc(series.y)
        .x_label_formatter(&short)
        .y_label_formatter(&short)
        .draw()
        .map_err(|error| failed(error.to_string()))?;
    let line = points.iter().map(|point| (point.0, point.2));
    let spread = points.iter().map(|(x, least, _, most)| {
        PathElement::new(vec![(*x, *least), (*x, *most)], BLUE.stroke_width(1))
    });
    chart
        .draw_series(LineSeries::new(line.clone(), BLUE.stroke_width(2)))
        .map_err(|error| failed(error.to_string()))?;
    chart
        .draw_series(spread)
        .map_err(|error| failed(error.to_string()))?;
    chart
        .draw_series(line.map(|point| Circle::new(point, 3, BLUE.filled())))
        .map_err(|error| failed(error.to_string()))?;
    drop(chart);
    area.present().map_err(|error| failed(error.to_string()))?;
    Ok(())
}
