//! What a terminal shows after it was written to, and a picture of that.

use std::fmt::Write as _;

/// One place of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    character: char,
    /// The colour as ECMA-48 numbers it: 31 is red; 0 the usual one.
    colour: u8,
}

/// The lines of a terminal that never scrolls: as many as were written. A line that is too long goes on in the next one.
#[derive(Debug, Default)]
pub struct Screen {
    columns: usize,
    lines: Vec<Vec<Cell>>,
    row: usize,
    column: usize,
    colour: u8,
}

impl Screen {
    /// The screen of `columns` columns after `written` came to it.
    pub fn after(written: &str, columns: usize) -> Self {
        let mut screen = Self { columns, lines: vec![Vec::new()], ..Self::default() };
        let mut characters = written.chars();
        while let Some(character) = characters.next() {
            match character {
                '\r' => screen.column = 0,
                '\n' => screen.go(screen.row + 1, screen.column),
                '\u{8}' => screen.column = screen.column.saturating_sub(1),
                '\u{7}' => {}
                '\u{1b}' => {
                    let sequence = characters.by_ref();
                    if sequence.next() == Some('[') {
                        let mut parameters = String::new();
                        let end = sequence.find(|c| {
                            let ends = ('@'..='~').contains(c);
                            if !ends {
                                parameters.push(*c);
                            }
                            ends
                        });
                        screen.obey(end.unwrap_or('m'), &parameters);
                    }
                }
                shown => screen.put(shown),
            }
        }
        screen
    }

    fn go(&mut self, row: usize, column: usize) {
        (self.row, self.column) = (row, column);
        let rows = self.lines.len().max(row + 1);
        self.lines.resize_with(rows, Vec::new);
    }

    fn put(&mut self, character: char) {
        let blank = Cell { character: ' ', colour: 0 };
        if self.column >= self.columns {
            self.go(self.row + 1, 0);
        }
        let line = &mut self.lines[self.row];
        if line.len() <= self.column {
            line.resize(self.column + 1, blank);
        }
        line[self.column] = Cell { character, colour: self.colour };
        self.column += 1;
    }

    /// The sequences that progress bars and colours are made of. Another one is a mistake here, since the picture would be wrong.
    fn obey(&mut self, end: char, parameters: &str) {
        let first: Option<usize> = parameters.split(';').next().and_then(|text| text.parse().ok());
        let by = first.unwrap_or(1);
        match end {
            'm' => self.colour = first.and_then(|colour| u8::try_from(colour).ok()).unwrap_or(0),
            'A' => self.go(self.row.saturating_sub(by), self.column),
            'B' => self.go(self.row + by, self.column),
            'C' => self.column += by,
            'D' => self.column = self.column.saturating_sub(by),
            'G' => self.column = by - 1,
            'K' if first == Some(2) => self.lines[self.row].clear(),
            'K' => self.lines[self.row].truncate(self.column),
            'J' => {
                self.lines[self.row].truncate(self.column);
                self.lines.truncate(self.row + 1);
            }
            'h' | 'l' => {}
            other => panic!("a terminal's sequence that is not known here: {parameters}{other}"),
        }
    }

    /// Brings neighbouring lines that have a rank into its order, and that of the alphabet, where nobody knows which comes first.
    pub fn sort_lines(&mut self, rank: impl Fn(&str) -> Option<usize>) {
        let has_one = |cells: &Vec<Cell>| rank(&text_of(cells)).is_some();
        for lines in self.lines.chunk_by_mut(|one, next| has_one(one) && has_one(next)) {
            lines.sort_by_cached_key(|cells| (rank(&text_of(cells)), text_of(cells)));
        }
    }

    /// The lines without colours, and without blanks at their ends.
    pub fn text(&self) -> String {
        let lines: Vec<String> =
            self.lines.iter().map(|cells| text_of(cells).trim_end().to_owned()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// A picture that is `columns` wide, longer lines broken, as SVG that needs nothing but a font of equal widths. Each run of one colour is told how
    /// wide it is, so that the columns stand below each other whatever font that is.
    pub fn picture(&self, columns: usize, title: &str) -> String {
        const WIDTH: f64 = 8.4;
        const HEIGHT: usize = 19;
        const MARGIN: usize = 16;
        let lines: Vec<&[Cell]> = self.lines.iter().flat_map(|cells| broken(cells, columns)).collect();
        let shown = lines.iter().rposition(|cells| !cells.is_empty()).map_or(0, |last| last + 1);
        let (width, height) = (wide(columns, WIDTH) + 2 * MARGIN, shown * HEIGHT + 2 * MARGIN);
        let mut picture = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <title>{}</title>\n\
             <style>text {{ font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre; fill: #d8dee9 }} \
             .c1 {{ fill: #ff7b72 }} .c2 {{ fill: #7ee787 }} .c3 {{ fill: #f2cc60 }} .p {{ fill: #79c0ff }}</style>\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#12151a\"/>\n",
            escaped(title)
        );
        for (number, cells) in lines.iter().take(shown).enumerate() {
            let baseline = MARGIN + number * HEIGHT + 14;
            let is_prompt = cells.first().is_some_and(|cell| cell.character == '$');
            for (at, run) in runs(cells) {
                let text = text_of(run);
                if text.trim().is_empty() {
                    continue;
                }
                let class = match run[0].colour {
                    _ if is_prompt => " class=\"p\"".to_owned(),
                    colour @ 31..=33 => format!(" class=\"c{}\"", colour - 30),
                    _ => String::new(),
                };
                let _ = writeln!(
                    picture,
                    "<text x=\"{}\" y=\"{baseline}\" textLength=\"{}\"{class}>{}</text>",
                    MARGIN + wide(at, WIDTH),
                    wide(run.len(), WIDTH),
                    escaped(&text)
                );
            }
        }
        picture.push_str("</svg>\n");
        picture
    }
}

fn text_of(cells: &[Cell]) -> String {
    cells.iter().map(|cell| cell.character).collect()
}

/// The width of so many columns, in whole pixels.
fn wide(columns: usize, width: f64) -> usize {
    // Some hundred columns at most.
    (columns as f64 * width).round() as usize
}

/// A line without the blanks at its end, in pieces of so many columns; an empty one is a piece, too.
fn broken(cells: &[Cell], columns: usize) -> Vec<&[Cell]> {
    let end = cells.iter().rposition(|cell| cell.character != ' ').map_or(0, |last| last + 1);
    if end == 0 { vec![&[]] } else { cells[..end].chunks(columns).collect() }
}

/// The pieces of one colour, each with its column.
fn runs(cells: &[Cell]) -> Vec<(usize, &[Cell])> {
    let mut found = Vec::new();
    let mut at = 0;
    for run in cells.chunk_by(|one, next| one.colour == next.colour) {
        found.push((at, run));
        at += run.len();
    }
    found
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[test]
fn a_screen_shows_what_was_written_last() {
    let screen = Screen::after(
        "one\r\n\u{1b}[2Kbar 10 %\rbar 20 %\u{1b}[1A\r\u{1b}[33mtwo & <\u{1b}[0m!\u{1b}[K\r\n",
        20,
    );
    assert_eq!(screen.text(), "two & <!\nbar 20 %");
    let mut sorted = Screen::after("x\r\n- b\r\n- a\r\ny\r\n- 0\r\n", 20);
    sorted.sort_lines(|line| line.starts_with('-').then_some(0));
    assert_eq!(sorted.text(), "x\n- a\n- b\ny\n- 0");
    assert_eq!(Screen::after("a long line", 6).text(), "a long\n line");
    let picture = screen.picture(20, "a > b");
    for part in [
        "<title>a &gt; b</title>",
        " class=\"c3\">two &amp; &lt;</text>",
        "<text x=\"75\" y=\"30\" textLength=\"8\">!</text>",
        "viewBox=\"0 0 200 70\"",
    ] {
        assert!(picture.contains(part), "{part} is not in\n{picture}");
    }
}
