//! The page at `/ui/`: static files, read whole at the start, so that what is served is a closed list like the route
//! table. For fleets whose load balancer is internal: the page then has the same origin as what it calls.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response};

use crate::body::Body;
use crate::error::Refusal;

/// The most bytes of all files together: a page is a few hundred KB, its sourcemaps a few MB.
const MOST: usize = 64 << 20;
/// What unknown paths without an ending get: rooms of a page that routes by itself.
const INDEX: &str = "index.html";

/// Types of files, by ending.
const KINDS: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("ico", "image/x-icon"),
    ("webp", "image/webp"),
    ("woff2", "font/woff2"),
    ("webmanifest", "application/manifest+json"),
    ("txt", "text/plain; charset=utf-8"),
];

/// The files of the page, by their path under `/ui/`.
pub struct Page {
    files: HashMap<String, (Bytes, &'static str)>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A file or folder cannot be read.
    #[error("ui.directory: `{}`: {source}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no `index.html` in it.
    #[error("ui.directory: `{}` has no index.html; is it the folder of a built page?", .0.display())]
    NoIndex(PathBuf),
    /// The folder holds more than a page.
    #[error("ui.directory: `{}` has more than {MOST} bytes; is it the folder of a built page?", .0.display())]
    TooLarge(PathBuf),
}

impl Page {
    /// Reads every file in `directory`.
    ///
    /// # Errors
    /// As [`PageError`].
    pub fn read(directory: &Path) -> Result<Self, PageError> {
        let mut page = Self { files: HashMap::new() };
        let mut left = MOST;
        page.add(directory, "", &mut left, directory)?;
        if page.files.contains_key(INDEX) { Ok(page) } else { Err(PageError::NoIndex(directory.to_owned())) }
    }

    fn add(&mut self, folder: &Path, prefix: &str, left: &mut usize, whole: &Path) -> Result<(), PageError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| PageError::Unreadable { path, source }
        };
        for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
            let path = entry.map_err(unreadable(folder))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.starts_with('.') {
                continue; // what a tool has left there is no part of a page
            }
            if path.is_dir() {
                self.add(&path, &format!("{prefix}{name}/"), left, whole)?;
                continue;
            }
            let bytes = fs::read(&path).map_err(unreadable(&path))?;
            *left = left.checked_sub(bytes.len()).ok_or_else(|| PageError::TooLarge(whole.to_owned()))?;
            self.files.insert(format!("{prefix}{name}"), (Bytes::from(bytes), kind_of(name)));
        }
        Ok(())
    }

    /// The file at a path under `/ui/`.
    ///
    /// # Errors
    /// 404.
    pub fn answer(&self, path: &str) -> Result<Response<Body>, Refusal> {
        let room = path.is_empty() || !path.rsplit('/').next().unwrap_or_default().contains('.');
        let name = if room { INDEX } else { path };
        let (bytes, kind) = self.files.get(name).ok_or(Refusal::NoRoute)?;
        let mut response = Response::new(Body::full(bytes.clone()));
        // The bundler puts a hash of its content into the name of each asset; nothing else has one.
        let cache =
            if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        // What the page may load it says itself; that nobody frames it only a header can say.
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'"));
        Ok(response)
    }
}

fn kind_of(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    KINDS.iter().find(|(known, _)| *known == ending).map_or("application/octet-stream", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_rooms_and_nothing_else() {
        let folder = tempfile::TempDir::new().unwrap();
        assert!(matches!(Page::read(folder.path()), Err(PageError::NoIndex(_))));
        fs::create_dir(folder.path().join("assets")).unwrap();
        for (name, content) in
            [("index.html", "<p>"), ("assets/a-1.js", "1"), (".env", "secret"), ("config.json", "{}")]
        {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let page = Page::read(folder.path()).unwrap();
        let field = |path: &str, name: &str| {
            let answer = page.answer(path).unwrap();
            answer.headers()[name].to_str().unwrap().to_owned()
        };
        for room in ["", "translate", "fleet/nodes"] {
            assert_eq!(field(room, "content-type"), "text/html; charset=utf-8", "{room}");
        }
        assert!(field("assets/a-1.js", "cache-control").contains("immutable"));
        assert_eq!(field("config.json", "cache-control"), "no-cache");
        assert_eq!(field("", "content-security-policy"), "frame-ancestors 'none'");
        for none in [".env", "assets/b.js", "index.html.bak", "../Cargo.toml"] {
            assert!(page.answer(none).is_err(), "{none}");
        }
    }
}
