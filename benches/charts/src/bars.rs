//! How do things of several groups compare, by one number each?

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Outcome;

pub struct Group {
    pub name: String,
    pub bars: Vec<Bar>,
}

pub struct Bar {
    name: String,
    pub value: f64,
    label: String,
    /// The part of it that is drawn darker.
    mark: f64,
}

impl Bar {
    pub fn new(name: &str, value: f64, label: String) -> Self {
        Self { name: name.to_owned(), value, label, mark: 0.0 }
    }

    /// Where the value is less, the part is not in it.
    pub fn marked(mut self, mark: f64) -> Self {
        self.mark = if mark <= self.value { mark } else { 0.0 };
        self
    }

    /// Ours stands out.
    fn color(&self) -> RGBColor {
        if self.name.contains("bearergate") || self.name == "through the layer" { OURS } else { OTHERS }
    }
}

const WIDTH: i32 = 860;
const LEFT: i32 = 290;
const RIGHT: i32 = 80;
const ROW: i32 = 22;
const OURS: RGBColor = RGBColor(38, 132, 92);
const OTHERS: RGBColor = RGBColor(158, 170, 184);
const INK: RGBColor = RGBColor(40, 44, 52);

/// Each group has a scale of its own: what is compared stands within one.
pub fn draw(path: &Path, title: &str, unit: &str, groups: &[Group]) -> Outcome {
    let rows: usize = groups.iter().map(|group| group.bars.len() + 2).sum();
    let height = 50 + ROW * i32::try_from(rows)?;
    let area = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let font = |size: i32| ("sans-serif", size).into_font().color(&INK);
    area.draw(&Text::new(format!("{title}, {unit}"), (20, 14), font(16)))?;
    let mut y = 46;
    for group in groups {
        area.draw(&Text::new(
            group.name.clone(),
            (20, y),
            ("sans-serif", 14).into_font().style(FontStyle::Bold).color(&INK),
        ))?;
        y += ROW;
        let longest = group.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        for bar in &group.bars {
            let width = |value: f64| LEFT + (value / longest * f64::from(WIDTH - LEFT - RIGHT)) as i32;
            let middle = y + ROW / 2;
            let name = font(13).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(bar.name.clone(), (LEFT - 8, middle), name))?;
            let rectangle = |from: i32, to: i32, color: RGBColor| {
                Rectangle::new([(from, y + 3), (to, y + ROW - 3)], color.filled())
            };
            area.draw(&rectangle(LEFT, width(bar.value), bar.color()))?;
            if bar.mark > 0.0 {
                let RGBColor(red, green, blue) = bar.color();
                let darker = RGBColor(red / 2, green / 2, blue / 2);
                area.draw(&rectangle(LEFT, width(bar.mark), darker))?;
            }
            let label = font(12).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(bar.label.clone(), (width(bar.value) + 6, middle), label))?;
            y += ROW;
        }
        y += ROW;
    }
    area.present()?;
    Ok(())
}
