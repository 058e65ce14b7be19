//! Delimited text, line by line: any encoding, plain or gzip, with exact line numbers.
//!
//! Lines are framed before they are split into fields, so that a stray quote costs its own line and
//! not the rest of the file.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::Encoding;

use super::mapping::InputFormat;

/// The longest line, so that a file that isn't text at all can't fill the memory.
const LINE_BYTES_MAX: usize = 1 << 20;

/// How text is cut into fields.
#[derive(Debug, Clone)]
pub(crate) struct Format {
    delimiter: u8,
    quote: Option<u8>,
    encoding: &'static Encoding,
    trim: bool,
    multiline: bool,
}

impl Format {
    /// Checks the format of a mapping.
    ///
    /// # Errors
    /// The setting that is wrong.
    pub(crate) fn new(input: &InputFormat) -> Result<Self, String> {
        let delimiter = u8::try_from(input.delimiter)
            .ok()
            .filter(|byte| byte.is_ascii() && !matches!(byte, b'\n' | b'\r'))
            .ok_or("input.delimiter: must be one ASCII character")?;
        let quote = match input.quote.as_bytes() {
            [] => None,
            [byte] if byte.is_ascii() && *byte != delimiter => Some(*byte),
            _ => {
                return Err("input.quote: must be one ASCII character other than the delimiter, \
                            or empty"
                    .to_owned());
            }
        };
        let encoding = Encoding::for_label(input.encoding.as_bytes())
            .ok_or_else(|| format!("input.encoding: unknown label {:?}", input.encoding))?;
        Ok(Self { delimiter, quote, encoding, trim: input.trim, multiline: input.multiline })
    }
}

/// A line cut into fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number, from 1; of a record over several lines, the first.
    pub number: u64,
    /// Its fields, or why it can't be read.
    pub fields: Result<Vec<String>, String>,
    /// Whether the input ends here without an end of line.
    pub cut: bool,
}

/// Reads lines.
pub(crate) struct Reader<R> {
    input: R,
    format: Format,
    splitter: csv_core::Reader,
    number: u64,
    raw: Vec<u8>,
}

/// How a raw line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Newline,
    Input,
    TooLong,
}

impl<R: BufRead> Reader<R> {
    /// Reads `input`, which must be in the format's encoding.
    pub(crate) fn new(input: R, format: Format) -> Self {
        let mut builder = csv_core::ReaderBuilder::new();
        builder.delimiter(format.delimiter);
        builder.terminator(csv_core::Terminator::Any(b'\n'));
        match format.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        let splitter = builder.build();
        Self { input, format, splitter, number: 0, raw: Vec::new() }
    }

    /// The next line that isn't empty.
    ///
    /// # Errors
    /// The input can't be read further; the error names no line.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.raw.clear();
            let Some(mut end) = self.append_raw()? else { return Ok(None) };
            let number = self.number;
            if self.raw.is_empty() && end == End::Newline {
                continue;
            }
            let fields = self.fields(&mut end)?;
            let cut = end == End::Input;
            return Ok(Some(Line { number, fields, cut }));
        }
    }

    /// Whether nothing is left to read.
    ///
    /// # Errors
    /// The input can't be read further.
    pub(crate) fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.input.fill_buf()?.is_empty())
    }

    /// The number of the last line that was read.
    pub(crate) fn line(&self) -> u64 {
        self.number
    }

    /// Cuts the line into fields; `end` becomes that of its last part.
    fn fields(&mut self, end: &mut End) -> io::Result<Result<Vec<String>, String>> {
        if *end == End::TooLong {
            return Ok(Err(format!("is longer than {LINE_BYTES_MAX} bytes")));
        }
        loop {
            let text = match self.decode() {
                Ok(text) => text,
                Err(why) => return Ok(Err(why)),
            };
            if let Some(fields) = split(&mut self.splitter, &text, self.format.trim) {
                return Ok(Ok(fields));
            }
            if !self.format.multiline {
                return Ok(Err("a quoted field isn't closed".to_owned()));
            }
            self.raw.push(b'\n');
            match self.append_raw()? {
                None => return Ok(Err("a quoted field isn't closed before the end".to_owned())),
                Some(End::TooLong) => {
                    return Ok(Err(format!("is longer than {LINE_BYTES_MAX} bytes")));
                }
                Some(next) => *end = next,
            }
        }
    }

    fn decode(&self) -> Result<String, String> {
        let encoding = self.format.encoding;
        match encoding.decode_without_bom_handling_and_without_replacement(&self.raw) {
            Some(text) => Ok(text.into_owned()),
            None => Err(format!("has bytes that aren't valid {}", encoding.name())),
        }
    }

    /// Appends the next line without its end. None at the end of the input.
    fn append_raw(&mut self) -> io::Result<Option<End>> {
        let mut any = false;
        let end = loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                if !any {
                    return Ok(None);
                }
                break End::Input;
            }
            any = true;
            let newline = buffer.iter().position(|byte| *byte == b'\n');
            let taken = newline.unwrap_or(buffer.len());
            // Beyond the longest line the rest is passed over, and one byte tells that it was.
            let room = (LINE_BYTES_MAX + 1).saturating_sub(self.raw.len()).min(taken);
            self.raw.extend_from_slice(&buffer[..room]);
            self.input.consume(taken + usize::from(newline.is_some()));
            if newline.is_some() {
                break End::Newline;
            }
        };
        self.number += 1;
        if self.raw.last() == Some(&b'\r') {
            self.raw.pop();
        }
        Ok(Some(if self.raw.len() > LINE_BYTES_MAX { End::TooLong } else { end }))
    }
}

/// Cuts a text into fields. None if a quote is still open at its end.
fn split(splitter: &mut csv_core::Reader, text: &str, trim: bool) -> Option<Vec<String>> {
    splitter.reset();
    let mut source = Vec::with_capacity(text.len() + 1);
    source.extend_from_slice(text.as_bytes());
    source.push(b'\n');
    // Fields never take more room than their text, and each byte ends at most one field.
    let mut output = vec![0; source.len()];
    let mut ends = vec![0; source.len() + 1];
    let (result, _, _, count) = splitter.read_record(&source, &mut output, &mut ends);
    if !matches!(result, csv_core::ReadRecordResult::Record) {
        return if text.is_empty() { Some(vec![String::new()]) } else { None };
    }
    let mut start = 0;
    let mut fields = Vec::with_capacity(count);
    for end in ends.into_iter().take(count) {
        // Quotes and delimiters are ASCII, so the cuts lie between characters.
        let field = String::from_utf8_lossy(output.get(start..end)?);
        fields.push(if trim { field.trim().to_owned() } else { field.into_owned() });
        start = end;
    }
    Some(fields)
}

/// Makes an input readable: undoes gzip, drops a byte order mark, turns wide encodings into UTF-8.
///
/// # Errors
/// The input can't be read.
pub(crate) fn open(
    input: impl Read + 'static,
    format: &Format,
) -> io::Result<(Box<dyn BufRead>, Format)> {
    let mut format = format.clone();
    let mut reader: Box<dyn BufRead> = Box::new(BufReader::with_capacity(1 << 16, input));
    if reader.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        let decoder = flate2::bufread::MultiGzDecoder::new(reader);
        reader = Box::new(BufReader::with_capacity(1 << 16, decoder));
    }
    if reader.fill_buf()?.starts_with(&[0xef, 0xbb, 0xbf]) {
        reader.consume(3);
        format.encoding = encoding_rs::UTF_8;
    }
    if !format.encoding.is_ascii_compatible() {
        // In these a newline is more than one byte, so they are decoded whole before lines are cut.
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        let (text, _, malformed) = format.encoding.decode(&bytes);
        if malformed {
            let name = format.encoding.name();
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("isn't valid {name}")));
        }
        reader = Box::new(io::Cursor::new(text.into_owned().into_bytes()));
        format.encoding = encoding_rs::UTF_8;
    }
    Ok((reader, format))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn format(change: impl Fn(&mut InputFormat)) -> Format {
        let mut input = InputFormat { delimiter: ';', ..InputFormat::default() };
        change(&mut input);
        Format::new(&input).unwrap()
    }

    fn read(bytes: &[u8], format: &Format) -> Vec<Line> {
        let (input, format) = open(io::Cursor::new(bytes.to_vec()), format).unwrap();
        let mut reader = Reader::new(input, format);
        std::iter::from_fn(|| reader.next().unwrap()).collect()
    }

    fn good(line: &Line) -> Vec<&str> {
        line.fields.as_ref().unwrap().iter().map(String::as_str).collect()
    }

    #[test]
    fn quotes_blanks_and_both_line_ends() {
        let lines = read(b"\"a\";\" b \";c\r\n\r\n1;\"x;\"\"y\"\"\";\n2;;", &format(|_| {}));
        assert_eq!(lines.iter().map(|l| l.number).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(good(&lines[0]), ["a", "b", "c"]);
        assert_eq!(good(&lines[1]), ["1", "x;\"y\"", ""]);
        assert_eq!(good(&lines[2]), ["2", "", ""]);
        assert_eq!(lines.iter().map(|l| l.cut).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn a_stray_quote_costs_only_its_own_line() {
        let lines = read(b"1;\"open\n2;b\n3;\"PRIJE", &format(|_| {}));
        assert_eq!(lines[0].fields, Err("a quoted field isn't closed".to_owned()));
        assert_eq!(good(&lines[1]), ["2", "b"]);
        assert!(lines[2].fields.is_err());
        assert!(lines[2].cut);
    }

    #[test]
    fn quoted_fields_over_several_lines_if_wanted() {
        let multiline = format(|input| input.multiline = true);
        let lines = read(b"1;\"two\r\nlines\"\n2;b\n3;\"never\n", &multiline);
        assert_eq!(good(&lines[0]), ["1", "two\nlines"]);
        assert_eq!((lines[1].number, lines[2].number), (3, 4));
        assert!(lines[2].fields.is_err());
        let lines = read(b"1;\"two\nlines\"", &multiline);
        assert!(lines[0].cut, "the input ends in the second part");
    }

    #[test]
    fn without_quotes_they_are_ordinary_characters() {
        let lines = read(b"1;5\" pipe;\n", &format(|input| input.quote = String::new()));
        assert_eq!(good(&lines[0]), ["1", "5\" pipe", ""]);
    }

    #[test]
    fn encodings_and_marks() {
        let latin = format(|input| input.encoding = "iso-8859-1".to_owned());
        assert_eq!(good(&read(b"P\xf8\xedjem;1\n", &latin)[0]), ["Pøíjem", "1"]);
        let utf8 = format(|_| {});
        assert_eq!(good(&read(b"\xef\xbb\xbfa;b\n", &utf8)[0]), ["a", "b"]);
        let lines = read(b"a\xff;b\nc;d\n", &utf8);
        assert_eq!(lines[0].fields, Err("has bytes that aren't valid UTF-8".to_owned()));
        assert_eq!(good(&lines[1]), ["c", "d"]);
        let wide = format(|input| input.encoding = "utf-16le".to_owned());
        let bytes: Vec<u8> = "ž;1\n2;3\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let lines = read(&bytes, &wide);
        assert_eq!((good(&lines[0]), good(&lines[1])), (vec!["ž", "1"], vec!["2", "3"]));
    }

    #[test]
    fn gzip_is_recognised_and_a_cut_one_is_an_error() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"a;b\nc;d\n").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(good(&read(&packed, &format(|_| {}))[1]), ["c", "d"]);
        let (input, format) =
            open(io::Cursor::new(packed[..packed.len() - 4].to_vec()), &format(|_| {})).unwrap();
        let mut reader = Reader::new(input, format);
        let ended = std::iter::from_fn(|| reader.next().transpose()).find(Result::is_err);
        assert!(ended.is_some());
    }

    #[test]
    fn a_line_without_end_is_not_kept_in_memory() {
        let mut bytes = vec![b'x'; 3 * LINE_BYTES_MAX];
        bytes.extend_from_slice(b"\n1;2\n");
        let lines = read(&bytes, &format(|_| {}));
        assert!(lines[0].fields.as_ref().unwrap_err().contains("longer"));
        assert_eq!(good(&lines[1]), ["1", "2"]);
        assert_eq!(lines[1].number, 2);
    }

    #[test]
    fn wrong_formats() {
        for change in [
            (|input: &mut InputFormat| input.delimiter = 'é') as fn(&mut InputFormat),
            |input| input.delimiter = '\n',
            |input| input.quote = "''".to_owned(),
            |input| input.quote = ";".to_owned(),
            |input| input.encoding = "latin-99".to_owned(),
        ] {
            let mut input = InputFormat { delimiter: ';', ..InputFormat::default() };
            change(&mut input);
            assert!(Format::new(&input).is_err(), "{input:?}");
        }
    }
}
