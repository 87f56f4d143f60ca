//! A terminal as an SVG: text, in colors for a light and a dark page, with nothing to load.

use std::fmt::Write as _;

/// Number of characters in a line.
pub(super) const COLUMNS: usize = 102;

/// Sizes in pixels. GitHub shows a README at most about 860 pixels wide.
const WIDTH: usize = 860;
const MARGIN: usize = 18;
const LINE: usize = 18;

/// The meaning of a text, which decides how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Dim,
    Bold,
    Name,
    Value,
}

impl Style {
    fn class(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Dim => Some("dim"),
            Self::Bold => Some("bold"),
            Self::Name => Some("name"),
            Self::Value => Some("value"),
        }
    }
}

/// A text of one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) style: Style,
    pub(super) text: String,
}

impl Part {
    pub(super) fn new(style: Style, text: impl Into<String>) -> Self {
        Self {
            style,
            text: text.into(),
        }
    }
}

/// Colors as on GitHub's pages, whose contrast is at least 4.5 to 1.
const STYLE: &str = "
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
    white-space: pre; fill: #1f2328 }
  .screen { fill: #f6f8fa; stroke: #d1d9e0 }
  .dim { fill: #59636e }
  .bold { font-weight: 600 }
  .name { fill: #0550ae }
  .value { fill: #8a4600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .screen { fill: #0d1117; stroke: #3d444d }
    .dim { fill: #9198a1 }
    .name { fill: #79c0ff }
    .value { fill: #ffa657 }
  }
";

/// The picture of a terminal with these lines.
pub(super) fn picture(title: &str, description: &str, lines: &[Vec<Part>]) -> String {
    let height = 2 * MARGIN + LINE * lines.len() - LINE / 3;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"title description\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"screen\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
        escaped(title),
        escaped(description),
        WIDTH - 1,
        height - 1,
    );
    for (number, line) in lines.iter().enumerate() {
        if line.is_empty() {
            continue;
        }
        let y = MARGIN + LINE * number + LINE * 2 / 3;
        let _ = write!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y}\" xml:space=\"preserve\">"
        );
        for part in line {
            let text = escaped(&part.text);
            let _ = match part.style.class() {
                Some(class) => write!(svg, "<tspan class=\"{class}\">{text}</tspan>"),
                None => write!(svg, "{text}"),
            };
        }
        svg.push_str("</text>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

/// Text for the content of an element.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_the_output_of_a_program_stays_text() {
        let line = vec![Part::new(Style::Dim, "a <b> & c")];
        let svg = picture("<t>", "&", &[line]);
        assert!(svg.contains(">a &lt;b&gt; &amp; c</tspan>"), "{svg}");
        assert!(svg.contains(">&lt;t&gt;</title>"), "{svg}");
    }

    #[test]
    fn the_picture_is_as_high_as_its_lines() {
        let height = |lines: usize| {
            let svg = picture("", "", &vec![vec![Part::new(Style::Plain, "a")]; lines]);
            let (_, rest) = svg.split_once("height=\"").unwrap();
            rest.split('"').next().unwrap().parse::<usize>().unwrap()
        };
        assert_eq!(height(20) - height(10), 10 * LINE);
    }
}
