//! results.svg: a panel for each way of comparing, a group of bars for each column, a bar for each server.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::columns::{Against, Metric};
use crate::run::Results;
use crate::servers::Server;

const WIDTH: u32 = 1080;
const PANEL: u32 = 300;
const LEGEND: u32 = 40;
const LEFT: i32 = 50;
/// What the backend takes from a font's size.
const SCALE: f64 = 1.24;
const BELOW: i32 = 30;
const ABOVE: i32 = 34;
/// Told apart also by who does not see red and green as others do.
const COLORS: [RGBColor; 8] = [
    RGBColor(150, 150, 150),
    RGBColor(0, 90, 180),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(80, 80, 80),
];

/// What is compared in one panel, and which way is better.
const PANELS: [(&str, Metric, Against); 3] = [
    ("CPU per message, as a ratio to the limit's (less is better)", Metric::Cpu, Against::Limit),
    (
        "work per CPU second, as a ratio to uWebSockets' (more is better)",
        Metric::PerCpu,
        Against::Uws,
    ),
    ("bytes of memory per idle connection (less is better)", Metric::Memory, Against::Nothing),
];

/// A group: the column's name, and each server's number.
type Group<'a> = (&'a str, Vec<Option<f64>>);

pub fn draw(file: &Path, all: &[Results], servers: &[Server]) -> Result<(), Box<dyn Error>> {
    let mut panels = Vec::new();
    for (title, metric, against) in PANELS {
        let groups: Vec<Group<'_>> = all
            .iter()
            .filter(|results| results.column.measure() == (metric, against))
            .map(|results| {
                let values =
                    (0..servers.len()).map(|index| results.median(index, metric, against, servers));
                (results.column.name, values.collect())
            })
            .collect();
        if !groups.is_empty() {
            panels.push((title, groups));
        }
    }
    let size = (WIDTH, LEGEND + PANEL * panels.len() as u32);
    let root = SVGBackend::new(file, size).into_drawing_area();
    root.fill(&WHITE)?;
    legend(&root, servers)?;
    for (index, (title, groups)) in panels.iter().enumerate() {
        panel(&root, (LEGEND + PANEL * index as u32) as i32, title, groups)?;
    }
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn font(size: i32) -> TextStyle<'static> {
    ("sans-serif", f64::from(size) * SCALE).into_font().color(&BLACK)
}

fn legend(root: &Area<'_>, servers: &[Server]) -> Result<(), Box<dyn Error>> {
    let step = (WIDTH as i32 - LEFT) / servers.len().max(1) as i32;
    for (index, server) in servers.iter().enumerate() {
        let x = LEFT + step * index as i32;
        let color = COLORS[index % COLORS.len()];
        root.draw(&Rectangle::new([(x, 14), (x + 12, 26)], color.filled()))?;
        root.draw(&Text::new(server.name.clone(), (x + 18, 14), font(13)))?;
    }
    Ok(())
}

fn panel(
    root: &Area<'_>,
    top: i32,
    title: &str,
    groups: &[Group<'_>],
) -> Result<(), Box<dyn Error>> {
    let (floor, ceiling) = (top + PANEL as i32 - BELOW, top + ABOVE);
    let values = || groups.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    // A logarithmic scale: half as much and twice as much look alike.
    // Ratios are seen against 1, bytes against each other.
    let least = values().fold(f64::INFINITY, f64::min);
    let least = if least > 20.0 { least * 0.5 } else { least.min(1.0) * 0.8 };
    let most = values().fold(1.0_f64, f64::max) * 1.25;
    let y = |value: f64| {
        let share = (value.max(least) / least).ln() / (most / least).ln();
        floor - (share * f64::from(floor - ceiling)).round() as i32
    };
    root.draw(&Text::new(title.to_owned(), (LEFT, top + 6), font(15)))?;
    let right = font(11).pos(Pos::new(HPos::Right, VPos::Center));
    for mark in marks(least, most) {
        let color = if mark == 1.0 { BLACK.mix(0.8) } else { BLACK.mix(0.15) };
        let ends = vec![(LEFT, y(mark)), (WIDTH as i32 - 10, y(mark))];
        root.draw(&PathElement::new(ends, color))?;
        root.draw(&Text::new(mark.to_string(), (LEFT - 6, y(mark)), right.clone()))?;
    }
    let middle = font(12).pos(Pos::new(HPos::Center, VPos::Top));
    let number = font(10).pos(Pos::new(HPos::Center, VPos::Bottom));
    let width = (WIDTH as i32 - LEFT - 10) / groups.len() as i32;
    for (place, (name, values)) in groups.iter().enumerate() {
        let left = LEFT + width * place as i32;
        let bar = ((width - 16) / values.len().max(1) as i32).min(48);
        let start = left + (width - bar * values.len() as i32) / 2;
        for (index, value) in values.iter().enumerate() {
            let Some(value) = *value else { continue };
            let x = start + bar * index as i32;
            let color = COLORS[index % COLORS.len()];
            let corners = [(x + 1, y(value)), (x + bar - 1, floor)];
            root.draw(&Rectangle::new(corners, color.filled()))?;
            let text = match value {
                value if value >= 10.0 => format!("{value:.0}"),
                value if bar < 22 => format!("{value:.1}"),
                value => format!("{value:.2}"),
            };
            root.draw(&Text::new(text, (x + bar / 2, y(value) - 2), number.clone()))?;
        }
        let below = (left + width / 2, floor + 8);
        root.draw(&Text::new((*name).to_owned(), below, middle.clone()))?;
    }
    Ok(())
}

/// 1, 2 and 5, and their tenths and multiples.
fn marks(least: f64, most: f64) -> Vec<f64> {
    (-3..8)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| (digit, power)))
        .map(|(digit, power): (f64, i32)| match power {
            0.. => digit * 10_f64.powi(power),
            _ => digit / 10_f64.powi(-power),
        })
        .filter(|&mark| (least..=most).contains(&mark))
        .collect()
}
