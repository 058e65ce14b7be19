//! One import from its arguments to its report.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::ImportArgs;
use super::mapping::Mapping;
use super::plan::{LineError, Plan, Planner};
use super::reader::{Format, Line, Reader, open};
use super::report::{Outcome, Place, Report};
use super::rules::{Bound, Rules};
use super::send::Sender;
use crate::cli::exit::{Exit, Failure};
use crate::cli::remote::Target;
use crate::cli::say;

/// About a last line that looks whole, but could be a longer one cut short.
const NO_NEWLINE: &str = "the input ends in this line without a newline; the line has all its \
    columns and is booked, but check that its end isn't missing";

/// Everything that can be checked before the first record is sent, checked.
pub(crate) struct Prepared {
    planner: Planner,
    inputs: Vec<Input>,
    bar: ProgressBar,
}

struct Input {
    name: String,
    reader: Reader<Box<dyn BufRead>>,
    bound: Bound,
}

impl Prepared {
    /// Reads the mapping, opens every input and binds the mapping to its columns.
    ///
    /// # Errors
    /// What is wrong with the mapping, an input or its header.
    pub(crate) fn new(args: &ImportArgs) -> Result<Self, Failure> {
        if let Some(report) = &args.report {
            spare_inputs(report, &args.mapping, &args.inputs)?;
        }
        let wrong = |why| Failure::usage(format!("{}: {why}", args.mapping.display()));
        let mapping = Mapping::load(&args.mapping)?;
        let format = Format::new(&mapping.input).map_err(wrong)?;
        let rules = Rules::new(mapping).map_err(wrong)?;
        let rules = rules.with_timestamps(args.timestamps).map_err(wrong)?;
        let bar = progress_bar(args);
        let inputs = args.inputs.iter().map(|path| Input::open(path, &format, &rules, &bar));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { planner: Planner::new(rules), inputs, bar })
    }

    /// Sends everything to `target` and prints the report.
    ///
    /// # Errors
    /// A call failed, after the report on what came before it was printed.
    pub(crate) fn run(
        mut self,
        args: &ImportArgs,
        target: &mut dyn Target,
        out: &mut dyn Write,
    ) -> Result<Exit, Failure> {
        let names = self.inputs.iter().map(|input| input.name.clone()).collect();
        let mut report = Report::new(names, args.report.as_deref())?;
        let mut sender = Sender::new(target, args.batch, self.in_flight(args));
        let sent = self.send_all(&mut sender, &mut report);
        if sent.is_err() {
            sender.abandon(&mut report)?;
        }
        self.bar.finish_and_clear();
        report.print(args.json, out)?;
        out.flush()?;
        if let Err(failure) = sent {
            let message = failure.message.unwrap_or_default();
            return Err(Failure::new(
                failure.exit,
                format!(
                    "{message}; run the same import again: what is there already stays as it is"
                ),
            ));
        }
        if report.accounts.refused > 0 || report.bad_lines() > args.allow_refused {
            return Ok(Exit::Refused);
        }
        Ok(Exit::Ok)
    }

    /// A request that is sent again, after a broken connection or a server that stops, may be
    /// overtaken by later ones. Where the order decides what is refused, one waits for the other.
    fn in_flight(&self, args: &ImportArgs) -> usize {
        if self.planner.order_matters() { 1 } else { args.in_flight }
    }

    fn send_all(&mut self, sender: &mut Sender<'_>, report: &mut Report) -> Result<(), Failure> {
        for (index, input) in self.inputs.iter_mut().enumerate() {
            loop {
                let line = match input.reader.next() {
                    Ok(Some(line)) => line,
                    Ok(None) => break,
                    Err(error) => {
                        let place = Place { input: index, line: input.reader.line() + 1 };
                        let why = format!("the input can't be read further: {error}");
                        report.line(place, 0, &Outcome::Unreadable(why))?;
                        break;
                    }
                };
                let place = Place { input: index, line: line.number };
                match plan_line(&mut self.planner, &input.bound, &line, sender) {
                    Ok(Plan::Transfer { transfer, accounts }) => {
                        if line.cut {
                            report.warn(place, NO_NEWLINE);
                            say(&format!("{}:{}: {NO_NEWLINE}", input.name, line.number));
                        }
                        sender.push(place, transfer, &accounts, report)?;
                    }
                    Ok(Plan::Skip) => report.line(place, 0, &Outcome::Skipped)?,
                    Err(why) => report.line(place, 0, &Outcome::Unreadable(why))?,
                }
            }
        }
        sender.finish(report)
    }
}

fn plan_line(
    planner: &mut Planner,
    bound: &Bound,
    line: &Line,
    sender: &Sender<'_>,
) -> Result<Plan, String> {
    let planned = match &line.fields {
        Ok(fields) => planner.plan(bound, fields, &|account| sender.is_new(account)),
        Err(why) => Err(LineError { column: None, message: why.clone() }),
    };
    planned.map_err(|why| {
        if line.cut {
            format!("the input ends in the middle of this line: {why}")
        } else {
            why.to_string()
        }
    })
}

impl Input {
    fn open(
        path: &Path,
        format: &Format,
        rules: &Rules,
        bar: &ProgressBar,
    ) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let failed = |error: io::Error| Failure::usage(format!("can't read {name}: {error}"));
        let (input, format) = if path == Path::new("-") {
            open(bar.wrap_read(io::stdin()), format)
        } else {
            File::open(path).and_then(|file| open(bar.wrap_read(file), format))
        }
        .map_err(failed)?;
        let mut reader = Reader::new(input, format);
        let columns = columns(&mut reader, rules, &name)?;
        let bound = rules.bind(&columns).map_err(|why| Failure::usage(format!("{name}: {why}")))?;
        Ok(Self { name, reader, bound })
    }
}

/// The names of the columns: from the mapping, else from the input's first line.
fn columns(
    reader: &mut Reader<Box<dyn BufRead>>,
    rules: &Rules,
    name: &str,
) -> Result<Vec<String>, Failure> {
    let input = &rules.mapping().input;
    let failed = |error: io::Error| Failure::usage(format!("can't read {name}: {error}"));
    if !input.header {
        // A file of no bytes is more often a download that failed than a day without payments.
        if reader.is_at_end().map_err(failed)? {
            return Err(Failure::usage(format!("{name}: is empty, without a line")));
        }
        return Ok(input.columns.clone());
    }
    let line = reader.next().map_err(failed)?;
    let line = line.ok_or_else(|| Failure::usage(format!("{name}: is empty, without a header")))?;
    let fields = line.fields.map_err(|why| Failure::usage(format!("{name}:1: {why}")))?;
    Ok(if input.columns.is_empty() { fields } else { input.columns.clone() })
}

/// Refuses a report over a file that the import reads, by whatever name or link it goes.
fn spare_inputs(report: &Path, mapping: &Path, inputs: &[PathBuf]) -> Result<(), Failure> {
    let identity = |path: &Path| {
        let meta = if path == Path::new("-") {
            File::from(io::stdin().as_fd().try_clone_to_owned()?).metadata()?
        } else {
            std::fs::metadata(path)?
        };
        // Writing to a device such as /dev/null destroys nothing.
        io::Result::Ok(meta.is_file().then(|| (meta.dev(), meta.ino())))
    };
    // A report that isn't there yet overwrites nothing, and what can't be looked at fails when it is
    // opened.
    let Ok(Some(written)) = identity(report) else { return Ok(()) };
    for read in inputs.iter().map(PathBuf::as_path).chain([mapping]) {
        if identity(read).is_ok_and(|read| read == Some(written)) {
            return Err(Failure::usage(format!(
                "--report {}: is the same file as {}, which this import reads; name another file",
                report.display(),
                read.display()
            )));
        }
    }
    Ok(())
}

/// Progress in bytes of the inputs; invisible unless stderr is a terminal.
fn progress_bar(args: &ImportArgs) -> ProgressBar {
    let bytes = args.inputs.iter().map(|path| std::fs::metadata(path).map_or(0, |meta| meta.len()));
    let bar = ProgressBar::new(bytes.sum());
    let style = "{spinner} {bar:40} {bytes}/{total_bytes} {elapsed}";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_never_overwrites_what_the_import_reads() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["m.toml", "1.csv", "2.csv", "old.csv"] {
            std::fs::write(path(name), name).unwrap();
        }
        std::os::unix::fs::symlink(path("2.csv"), path("link.csv")).unwrap();
        std::fs::hard_link(path("2.csv"), path("hard.csv")).unwrap();
        let inputs = [path("1.csv"), path("2.csv")];
        let spared = |report: &Path| spare_inputs(report, &path("m.toml"), &inputs);
        let roundabout = directory.path().join(".").join("1.csv");
        for report in [
            path("1.csv"),
            path("2.csv"),
            path("link.csv"),
            path("hard.csv"),
            path("m.toml"),
            roundabout,
        ] {
            let failure = spared(&report).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{}", report.display());
            assert!(failure.message.unwrap().contains("name another file"));
        }
        assert_eq!(std::fs::read(path("1.csv")).unwrap(), b"1.csv");
        for report in [path("new.csv"), path("old.csv"), PathBuf::from("/dev/null")] {
            assert_eq!(spared(&report), Ok(()), "{}", report.display());
        }
    }
}
