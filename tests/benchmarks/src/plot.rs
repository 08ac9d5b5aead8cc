//! Line charts of what was measured, as SVG files of the documentation.

use std::ops::Range;
use std::path::PathBuf;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    ChartBuilder, Circle, IntoDrawingArea, LineSeries, PathElement, RGBColor, SVGBackend,
    SeriesLabelPosition,
};
use plotters::style::{BLACK, Color, WHITE};

use crate::page::root;

/// Width and height of a picture, in pixels.
const SIZE: (u32, u32) = (760, 400);
/// The face of all text: what the reader's machine has.
const FONT: &str = "sans-serif";
/// How far lines and marks stay from the upper end of a linear axis, as a share of it.
const HEADROOM: f64 = 0.1;
/// The colours of the lines in turn; they also differ in brightness (Okabe and Ito, 2008).
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(80, 80, 80),
];

/// How an axis spaces its values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// Evenly, from zero.
    Linear,
    /// By powers of ten; values must be above zero.
    Log,
}

/// What an axis shows.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// What its values are, with their unit.
    pub name: &'static str,
    /// How it spaces them.
    pub scale: Scale,
}

/// A line chart: each line under its name in the legend.
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    across: Axis,
    up: Axis,
    lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl Chart {
    /// A chart without lines yet.
    #[must_use]
    pub fn new(title: &str, across: Axis, up: Axis) -> Self {
        Self { title: title.to_owned(), across, up, lines: vec![] }
    }

    /// The chart with one line more, through these points from left to right.
    #[must_use]
    pub fn line(mut self, name: &str, points: Vec<(f64, f64)>) -> Self {
        self.lines.push((name.to_owned(), points));
        self
    }

    /// The chart as SVG: the same bytes for the same points.
    ///
    /// # Errors
    /// A line that says why it cannot be drawn: there is no point, or one is not above zero on an
    /// axis of powers of ten.
    pub fn svg(&self) -> Result<String, String> {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let across = Span::of(self.across.scale, points().map(|point| point.0))?;
        let up = Span::of(self.up.scale, points().map(|point| point.1))?;
        let mut svg = String::new();
        self.draw(&mut svg, across, up).map_err(|error| error.to_string())?;
        Ok(titled(&svg, &self.title))
    }

    /// Writes the chart among the pictures of the page, as `name` with `.svg`.
    ///
    /// # Errors
    /// A line that says why not.
    pub fn write(&self, name: &str) -> Result<(), String> {
        let svg = self.svg()?;
        let folder = pictures();
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let path = folder.join(format!("{name}.svg"));
        std::fs::write(path, svg).map_err(|error| error.to_string())
    }

    fn draw(
        &self,
        svg: &mut String,
        across: Span,
        up: Span,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, (FONT, 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(across, up)?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(self.across.name).y_desc(self.up.name).label_style((FONT, 13)).draw()?;
        for ((name, points), color) in self.lines.iter().zip(COLORS.iter().cycle()) {
            let style = color.stroke_width(2);
            let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
            let swatch = move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], style);
            drawn.label(name.as_str()).legend(swatch);
            let marks = points.iter().map(|point| Circle::new(*point, 3, color.filled()));
            chart.draw_series(marks)?;
        }
        let mut legend = chart.configure_series_labels();
        legend.position(SeriesLabelPosition::LowerRight).label_font((FONT, 12));
        legend.background_style(WHITE.mix(0.85)).border_style(BLACK.mix(0.3)).draw()?;
        drop(chart);
        area.present()?;
        Ok(())
    }
}

/// Where the pictures of the page are.
#[must_use]
pub fn pictures() -> PathBuf {
    root().join("docs/pictures/performance")
}

/// The picture with a title that is read aloud in its place.
fn titled(svg: &str, title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let named = format!("<svg role=\"img\" aria-label=\"{}\"", title.replace('"', "&quot;"));
    let svg = svg.replacen("<svg", &named, 1);
    match svg.split_once(">\n") {
        Some((head, drawn)) => format!("{head}>\n<title>{title}</title>\n{drawn}\n"),
        None => svg,
    }
}

/// The values that an axis reaches over.
#[derive(Clone, Copy)]
struct Span {
    scale: Scale,
    from: f64,
    to: f64,
}

impl Span {
    fn of(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Result<Self, String> {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(f64::NEG_INFINITY, f64::max);
        if !(least.is_finite() && most.is_finite()) {
            return Err("there is nothing to draw".to_owned());
        }
        match scale {
            Scale::Linear => {
                let to = if most > 0.0 { most * (1.0 + HEADROOM) } else { 1.0 };
                Ok(Self { scale, from: least.min(0.0), to })
            }
            Scale::Log if least <= 0.0 => Err(format!("{least} has no place by powers of ten")),
            Scale::Log => {
                let from = least.log10().floor();
                let to = most.log10().ceil().max(from + 1.0);
                Ok(Self { scale, from: 10_f64.powf(from), to: 10_f64.powf(to) })
            }
        }
    }

    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Log => value.log10(),
        }
    }

    fn even(&self) -> RangedCoordf64 {
        (self.place(self.from)..self.place(self.to)).into()
    }
}

impl Ranged for Span {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.even().map(&self.place(*value), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match self.scale {
            Scale::Linear => self.even().key_points(hint),
            Scale::Log => {
                let (from, to) = (self.from.log10().round() as i32, self.to.log10().round() as i32);
                (from..=to).map(|power| 10_f64.powi(power)).collect()
            }
        }
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Span {
    fn format(value: &f64) -> String {
        // Ticks are found by adding up, so that some are a little beside the number they stand for.
        let rounded = (value * 1e6).round() / 1e6;
        let text = rounded.to_string();
        let (whole, rest) =
            text.split_once('.').map_or((text.as_str(), None), |(w, r)| (w, Some(r)));
        let grouped = grouped(whole);
        rest.map_or_else(|| grouped.clone(), |rest| format!("{grouped}.{rest}"))
    }
}

/// The digits of a whole number in groups of three.
#[must_use]
pub fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
