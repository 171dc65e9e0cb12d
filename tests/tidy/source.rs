//! The repository as the checks see it: text files with comments and string contents told apart from code.
//!
//! The scanner knows just enough of Rust and TypeScript for that; it does not parse. Generated files are left out.

use std::path::Path;

/// Folders that hold nothing of ours.
const SKIPPED: &[&str] = &["target", "node_modules", "dist", ".git", ".cache", "artifacts", "temp"];
/// Files that tools write.
const GENERATED: &[&str] =
    &["binding.js", "binding.d.ts", "index.d.ts", "lib/redis/command-types.ts", "package-lock.json", "Cargo.lock"];
/// What is text.
const TEXT: &[&str] = &[
    "rs", "ts", "mts", "cts", "mjs", "cjs", "js", "json", "toml", "md", "yml", "yaml", "txt", "sh", "lock", "jsonc",
    "html",
];

/// One text file, its path from the root with `/`.
pub(crate) struct Source {
    /// Path from the root.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// Comments blanked; strings kept. Same lines as `text`.
    pub(crate) uncommented: String,
    /// Comments and contents of strings blanked. Same lines as `text`.
    pub(crate) code: String,
}

impl Source {
    /// A file with this text.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let scanned = if is_script(path) {
            scan(text, false)
        } else if is_rust(path) {
            scan(text, true)
        } else {
            Scanned { uncommented: text.to_owned(), code: text.to_owned() }
        };
        Self { path: path.to_owned(), text: text.to_owned(), uncommented: scanned.uncommented, code: scanned.code }
    }

    /// Whether a tool wrote it.
    pub(crate) fn is_generated(&self) -> bool {
        GENERATED.contains(&self.path.as_str()) || self.path.starts_with("docs/api/")
    }

    /// Whether it lies under `folder` (written with a trailing `/`).
    pub(crate) fn under(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// The file name without folders and without everything after the first dot.
    pub(crate) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    /// The line, from 1, of a byte position in any of the texts.
    pub(crate) fn line_at(&self, position: usize) -> usize {
        self.code.bytes().take(position).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// Whether the file is Rust.
pub(crate) fn is_rust(path: &str) -> bool {
    extension(path) == Some("rs")
}

fn extension(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(_, extension)| extension)
}

/// Whether the file is TypeScript or JavaScript.
pub(crate) fn is_script(path: &str) -> bool {
    extension(path).is_some_and(|extension| ["ts", "mjs", "cjs", "js", "mts", "cts"].contains(&extension))
}

/// A broken rule.
#[derive(Debug)]
pub(crate) struct Offence {
    /// Path from the root.
    pub(crate) path: String,
    /// Line, from 1.
    pub(crate) line: usize,
    /// The rule, in words.
    pub(crate) rule: String,
}

impl Offence {
    /// `rule` broken in `source` at `line`.
    pub(crate) fn new(source: &Source, line: usize, rule: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line, rule: rule.into() }
    }
}

/// Every text file under `root`, sorted by path.
pub(crate) fn read_tree(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    walk(root, "", &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn walk(folder: &Path, prefix: &str, sources: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if SKIPPED.contains(&name.as_str()) {
            // In a git worktree `.git` is a file.
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), sources);
        } else if kind.is_file() && is_text(&name) {
            let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
            sources.push(Source::new(&path, &text));
        }
    }
}

fn is_text(name: &str) -> bool {
    extension(name).is_none_or(|extension| TEXT.contains(&extension)) || name.starts_with('.')
}

struct Scanned {
    uncommented: String,
    code: String,
}

/// What a position is in.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Code,
    /// Code inside `${}`; the count is of open braces.
    Hole(u32),
    LineComment,
    BlockComment(u32),
    Text(char),
    RawText(usize),
    Regex,
    RegexClass,
}

struct Scanner<'a> {
    rest: &'a str,
    rust: bool,
    stack: Vec<Within>,
    last_code: char,
    out: Scanned,
}

/// Tells code, strings and comments apart.
fn scan(text: &str, rust: bool) -> Scanned {
    let out = Scanned { uncommented: String::with_capacity(text.len()), code: String::with_capacity(text.len()) };
    let mut scanner = Scanner { rest: text, rust, stack: vec![Within::Code], last_code: '\n', out };
    while !scanner.rest.is_empty() {
        scanner.step();
    }
    scanner.out
}

impl Scanner<'_> {
    fn step(&mut self) {
        match self.stack.last().copied().unwrap_or(Within::Code) {
            Within::Code | Within::Hole(_) => self.step_code(),
            Within::LineComment if self.rest.starts_with('\n') => self.leave(0),
            Within::LineComment => self.take(1, false, false),
            Within::BlockComment(depth) => self.step_block_comment(depth),
            Within::Text(quote) => self.step_text(quote),
            Within::RawText(hashes) => {
                let end = format!("\"{}", "#".repeat(hashes));
                if self.rest.starts_with(&end) { self.leave(end.len()) } else { self.take(1, true, false) }
            }
            Within::Regex | Within::RegexClass => self.step_regex(),
        }
    }

    /// Moves `count` characters on, keeping or blanking them in the two outputs. Line ends are always kept.
    fn take(&mut self, count: usize, text: bool, code: bool) {
        for _ in 0..count {
            let Some(next) = self.rest.chars().next() else { return };
            self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
            // Blanks as wide as what they replace: positions mean the same in all three texts.
            let blank = |kept: bool, out: &mut String| match next {
                '\n' => out.push('\n'),
                _ if kept => out.push(next),
                _ => out.extend(std::iter::repeat_n(' ', next.len_utf8())),
            };
            blank(text, &mut self.out.uncommented);
            blank(code, &mut self.out.code);
            if code && !next.is_whitespace() {
                self.last_code = next;
            }
        }
    }

    fn enter(&mut self, within: Within, opening: usize, visible: bool) {
        self.stack.push(within);
        self.take(opening, visible, visible);
    }

    fn leave(&mut self, closing: usize) {
        let visible = !matches!(self.stack.last(), Some(Within::LineComment | Within::BlockComment(_)));
        self.take(closing, visible, visible);
        self.stack.pop();
    }

    fn step_code(&mut self) {
        let rest = self.rest;
        if rest.starts_with("//") {
            return self.enter(Within::LineComment, 2, false);
        }
        if rest.starts_with("/*") {
            return self.enter(Within::BlockComment(1), 2, false);
        }
        let next = rest.chars().next().unwrap_or_default();
        match next {
            '"' => self.enter(Within::Text('"'), 1, true),
            '\'' if !self.rust || is_char_literal(rest) => self.enter(Within::Text('\''), 1, true),
            '`' if !self.rust => self.enter(Within::Text('`'), 1, true),
            'r' if self.rust && !is_word(self.previous()) => match raw_hashes(rest) {
                Some(hashes) => self.enter(Within::RawText(hashes), hashes + 2, true),
                None => self.take(1, true, true),
            },
            '/' if !self.rust && self.regex_may_start() => self.enter(Within::Regex, 1, true),
            '{' | '}' => self.step_brace(next),
            _ => self.take(1, true, true),
        }
    }

    /// Braces count only inside `${}`, to find its end.
    fn step_brace(&mut self, brace: char) {
        let Some(Within::Hole(depth)) = self.stack.last_mut() else { return self.take(1, true, true) };
        if brace == '{' {
            *depth += 1;
        } else if *depth == 0 {
            return self.leave(1);
        } else {
            *depth -= 1;
        }
        self.take(1, true, true);
    }

    fn step_block_comment(&mut self, depth: u32) {
        if self.rest.starts_with("*/") && depth == 1 {
            return self.leave(2);
        }
        let change = if self.rest.starts_with("*/") {
            Some(depth - 1)
        } else {
            (self.rust && self.rest.starts_with("/*")).then_some(depth + 1)
        };
        if let (Some(depth), Some(top)) = (change, self.stack.last_mut()) {
            *top = Within::BlockComment(depth);
            return self.take(2, false, false);
        }
        self.take(1, false, false);
    }

    fn step_text(&mut self, quote: char) {
        if self.rest.starts_with('\\') {
            self.take(2, true, false);
        } else if self.rest.starts_with(quote) {
            self.leave(1);
        } else if quote == '`' && self.rest.starts_with("${") {
            self.enter(Within::Hole(0), 2, true);
        } else {
            self.take(1, true, false);
        }
    }

    fn step_regex(&mut self) {
        let in_class = self.stack.last() == Some(&Within::RegexClass);
        match self.rest.chars().next().unwrap_or_default() {
            '\\' => self.take(2, true, false),
            '\n' => self.leave(0),
            '[' if !in_class => {
                self.stack.push(Within::RegexClass);
                self.take(1, true, false);
            }
            ']' if in_class => {
                self.take(1, true, false);
                self.stack.pop();
            }
            '/' if !in_class => self.leave(1),
            _ => self.take(1, true, false),
        }
    }

    fn previous(&self) -> char {
        self.out.code.chars().next_back().unwrap_or('\n')
    }

    /// A slash begins a regular expression where a value may begin; otherwise it divides.
    fn regex_may_start(&self) -> bool {
        let before = self.out.code.trim_end();
        "\n(,=:[!&|?{};>".contains(self.last_code) || before.ends_with("return") || before.ends_with("case")
    }
}

/// `'a'` and `'\n'` are characters; `'a` is a lifetime.
fn is_char_literal(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

/// The number of `#` of a raw string that begins here.
fn raw_hashes(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.chars().take_while(|c| *c == '#').count();
    after.get(hashes..)?.starts_with('"').then_some(hashes)
}

/// Whether a character can be part of an identifier.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Byte positions of `word` in `text` where it stands alone.
pub(crate) fn find_word<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text.get(..*at).and_then(|s| s.chars().next_back()).unwrap_or(' ');
        let after = text.get(at + word.len()..).and_then(|s| s.chars().next()).unwrap_or(' ');
        !is_word(before) && !is_word(after)
    })
}
