//! The first names of the proxy's own paths. What begins with one of them is never WeChat's: if nothing is there, it is a slip of
//! who wrote it, and goes no further.

/// At the root; `console` is kept for a page of the proxy's.
const AT_ROOT: [&str; 10] =
    ["admin", "app", "console", "echo", "example", "healthz", "metrics", "qrcode", "readyz", "register"];

/// Below `/app/KEY`.
const BELOW_APP: [&str; 11] =
    ["api", "auth", "js", "jsapi", "login", "msg", "pay", "qyapi", "qyauth", "qyjs", "qyjsapi"];

/// Whether paths that begin with this name are the proxy's.
pub(crate) fn is_ours_at_root(first: &str) -> bool {
    AT_ROOT.contains(&first)
}

/// Whether paths below `/app/KEY` that begin with this name are the proxy's.
pub(crate) fn is_ours_below_app(first: &str) -> bool {
    BELOW_APP.contains(&first)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The paths in the routes of this file.
    fn routes(file: &Path) -> Vec<String> {
        let source = fs::read_to_string(file).unwrap();
        let routes = source.split(".route(\"/").skip(1).filter_map(|rest| rest.split_once('"'));
        routes.map(|(path, _)| path.to_owned()).collect()
    }

    #[test]
    fn every_route_begins_with_a_name_of_ours() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files = fs::read_dir(src).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
        let routes: Vec<String> =
            files.filter(|file| !file.ends_with("own_names.rs")).flat_map(|file| routes(&file)).collect();
        assert!(routes.len() > 40, "the routes were not understood: {routes:?}");
        for path in routes {
            let (first, is_ours): (_, fn(&str) -> bool) = match path.strip_prefix("app/{key}") {
                Some(below) => (below.trim_start_matches('/'), is_ours_below_app),
                None => (&*path, is_ours_at_root),
            };
            let first = first.split('/').next().unwrap();
            let is_any = first.is_empty() || first.starts_with('{');
            assert!(is_any || is_ours(first), "/{path}: a call of WeChat's could take its place");
        }
    }
}
