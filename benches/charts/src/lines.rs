//! How does a cost grow with something?

use std::path::Path;

use plotters::prelude::*;

use crate::Outcome;

pub struct Plot {
    pub title: &'static str,
    pub x: &'static str,
    pub y: &'static str,
    pub lines: Vec<Line>,
}

pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

const COLORS: [RGBColor; 4] =
    [RGBColor(38, 132, 92), RGBColor(158, 170, 184), RGBColor(24, 90, 160), RGBColor(190, 150, 90)];

/// Counts that span more than a hundredfold stand on a logarithmic axis.
pub fn draw(path: &Path, plot: &Plot) -> Outcome {
    let area = SVGBackend::new(path, (640, 320)).into_drawing_area();
    area.fill(&WHITE)?;
    let points = || plot.lines.iter().flat_map(|line| line.points.iter().copied());
    let least = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let most = points().map(|point| point.0).fold(0.0, f64::max);
    let highest = points().map(|point| point.1).fold(0.0, f64::max) * 1.25;
    let mut builder = ChartBuilder::on(&area);
    builder.caption(plot.title, ("sans-serif", 16)).margin(12).x_label_area_size(40).y_label_area_size(56);
    macro_rules! lines {
        ($x:expr) => {{
            let mut chart = builder.build_cartesian_2d($x, 0.0..highest)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .max_light_lines(1)
                .x_desc(plot.x)
                .y_desc(plot.y)
                .draw()?;
            for (line, color) in plot.lines.iter().zip(COLORS) {
                let series =
                    LineSeries::new(line.points.iter().copied(), color.stroke_width(2)).point_size(3);
                chart
                    .draw_series(series)?
                    .label(&line.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .background_style(WHITE.mix(0.8))
                .draw()?;
        }};
    }
    if most / least > 100.0 {
        lines!((least..most).log_scale());
    } else {
        lines!(0.0..most * 1.05);
    }
    area.present()?;
    Ok(())
}
