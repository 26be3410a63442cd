//! A QR code (ISO/IEC 18004) of half blocks.

use qrcode::{Color, EcLevel, QrCode};

/// The rows of half blocks of this text's QR code, each an upper and a lower square, `true` if dark: with the whole quiet
/// zone if that `fits` in width and height, else with half of it, if that fits or is `forced`.
pub fn rows(text: &str, forced: bool, fits: impl Fn(usize, usize) -> bool) -> Option<Vec<Vec<[bool; 2]>>> {
    // A screen has no stains, and a small code is easier to read.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let size = |quiet: usize| width + 2 * quiet;
    let fitting = [QUIET_ZONE, QUIET_ZONE / 2].into_iter().find(|quiet| fits(size(*quiet), size(*quiet).div_ceil(2)));
    let quiet = fitting.or(forced.then_some(QUIET_ZONE / 2))?;
    let dark: Vec<bool> = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
    Some(half_blocks(&dark, width, quiet))
}

/// Two rows of squares in each row, with light squares around them.
fn half_blocks(dark: &[bool], width: usize, quiet: usize) -> Vec<Vec<[bool; 2]>> {
    let is_dark = |row: usize, column: usize| {
        let (row, column) = (row.checked_sub(quiet), column.checked_sub(quiet).filter(|column| *column < width));
        let place = row.zip(column).map(|(row, column)| row * width + column);
        place.and_then(|place| dark.get(place)).copied().unwrap_or(false)
    };
    let size = width + 2 * quiet;
    let row = |upper: usize| (0..size).map(|column| [is_dark(upper, column), is_dark(upper + 1, column)]).collect();
    (0..size).step_by(2).map(row).collect()
}

/// The width of the light border, in squares (ISO/IEC 18004 section 6.3.8).
const QUIET_ZONE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_two_rows_of_squares_into_one() {
        let (dark, light) = (true, false);
        let code = [dark, light, dark, light, dark, light, light, light, dark];
        let drawn = half_blocks(&code, 3, 1);
        let none = [light, light];
        assert_eq!(
            drawn,
            [
                vec![none, [light, dark], none, [light, dark], none],
                vec![none, none, [dark, light], [light, dark], none],
                vec![none; 5],
            ]
        );
    }

    #[test]
    fn leaves_half_of_the_border_out_where_that_makes_it_fit() {
        let size = |forced: bool, columns: usize, lines: usize| {
            let rows =
                rows("https://id.example.com/device", forced, |width, height| width <= columns && height <= lines);
            rows.map(|rows| (rows[0].len(), rows.len()))
        };
        // Version 2 has 25 squares.
        assert_eq!(size(false, 33, 17), Some((33, 17)));
        assert_eq!(size(false, 32, 17), Some((29, 15)));
        assert_eq!(size(false, 33, 16), Some((29, 15)));
        assert_eq!(size(false, 28, 17), None);
        assert_eq!(size(false, 33, 14), None);
        assert_eq!(size(true, 10, 10), Some((29, 15)));
        assert_eq!(rows(&"a".repeat(3000), true, |_, _| true), None);
    }
}
