//! The sample programs: whole for those who take them, in regions for the guide. `scripts/check-samples` runs them.

use std::fmt::Write;

use super::markdown::escape;

pub struct Language {
    /// Its folder.
    pub slug: &'static str,
    label: &'static str,
    pub file: &'static str,
    pub source: &'static str,
    /// The program in a terminal; the command follows.
    run: &'static str,
    /// The program as a receiver of notices.
    listen: &'static str,
}

macro_rules! source {
    ($path:literal) => {
        include_str!(concat!("../../../../docs/samples/", $path))
    };
}

pub const LANGUAGES: [Language; 7] = [
    Language {
        slug: "curl",
        label: "curl",
        file: "scangate.sh",
        source: source!("curl/scangate.sh"),
        run: "sh scangate.sh",
        listen: "sh scangate.sh notice    # as a CGI program below your web server",
    },
    Language {
        slug: "php",
        label: "PHP",
        file: "scangate.php",
        source: source!("php/scangate.php"),
        run: "php scangate.php",
        listen: "php -S 127.0.0.1:9000 scangate.php",
    },
    Language {
        slug: "java",
        label: "Java",
        file: "ScanGate.java",
        source: source!("java/ScanGate.java"),
        run: "java -cp gson.jar ScanGate.java",
        listen: "java -cp gson.jar ScanGate.java notice 9000",
    },
    Language {
        slug: "python",
        label: "Python",
        file: "scangate.py",
        source: source!("python/scangate.py"),
        run: "python3 scangate.py",
        listen: "python3 scangate.py notice 9000",
    },
    Language {
        slug: "node",
        label: "Node",
        file: "scangate.mjs",
        source: source!("node/scangate.mjs"),
        run: "node scangate.mjs",
        listen: "node scangate.mjs notice 9000",
    },
    Language {
        slug: "go",
        label: "Go",
        file: "scangate.go",
        source: source!("go/scangate.go"),
        run: "go run scangate.go",
        listen: "go run scangate.go notice 9000",
    },
    Language {
        slug: "csharp",
        label: "C#",
        file: "ScanGate.cs",
        source: source!("csharp/ScanGate.cs"),
        run: "./ScanGate.exe",
        listen: "./ScanGate.exe notice 9000",
    },
];

impl Language {
    /// The program's address below `/docs`.
    pub fn address(&self) -> String {
        format!("samples/{}/{}", self.slug, self.file)
    }

    /// The lines between `region NAME` and `endregion`, as far to the left as they go.
    fn region(&self, name: &str) -> Option<String> {
        let opening = format!(" region {name}");
        let lines = self.source.lines().skip_while(|line| !line.ends_with(&opening)).skip(1);
        let lines: Vec<&str> = lines.take_while(|line| !line.ends_with(" endregion")).collect();
        let indent = |line: &&str| line.len() - line.trim_start().len();
        let least = lines.iter().filter(|line| !line.trim().is_empty()).map(indent).min()?;
        let lines: Vec<&str> = lines.iter().map(|line| line.get(least..).unwrap_or_default()).collect();
        Some(lines.join("\n").trim().to_owned())
    }

    /// What a tab shows. `run …` and `listen` are commands, anything else is a region of the program.
    fn shows(&self, what: &str) -> Option<String> {
        match what.split_once(' ') {
            Some(("run", arguments)) => Some(format!("{} {arguments}", self.run)),
            _ if what == "listen" => Some(self.listen.to_owned()),
            _ => self.region(what),
        }
    }
}

/// A tab per language. `group` tells the page's groups of tabs apart; `base` leads to `/docs/`.
pub fn tabs(what: &str, group: usize, base: &str) -> Option<String> {
    let (mut heads, mut panels) = (String::new(), String::new());
    for (at, language) in LANGUAGES.iter().enumerate() {
        let Language { slug, label, file, .. } = language;
        let (text, address) = (escape(&language.shows(what)?), language.address());
        let label = escape(label);
        let checked = if at == 0 { " checked" } else { "" };
        write!(
            heads,
            r#"<input type="radio" name="tabs-{group}" id="tab-{group}-{slug}" value="{slug}"{checked}><label for="tab-{group}-{slug}">{label}</label>"#
        )
        .expect("a string takes everything");
        write!(
            panels,
            r#"<div class="panel"><pre tabindex="0"><code>{text}</code></pre><p>The whole program: <a href="{base}{address}">{file}</a></p></div>"#
        )
        .expect("a string takes everything");
    }
    Some(format!(r#"<div class="tabs" role="group" aria-label="Programming language">{heads}{panels}</div>"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_every_region_the_guide_may_show() {
        for language in LANGUAGES {
            for region in ["sign", "verify", "call", "order", "notice"] {
                let text = language.region(region).unwrap_or_default();
                assert!(text.lines().count() > 4, "{} {region}: {text}", language.slug);
                assert!(!text.contains("region"), "{} {region} ends where it should: {text}", language.slug);
                assert!(
                    text.lines().any(|line| !line.starts_with(' ')),
                    "{} {region}: {text}",
                    language.slug
                );
            }
            assert_eq!(language.region("nothing"), None, "{}", language.slug);
        }
    }

    #[test]
    fn a_tab_shows_what_it_is_asked_for_and_leads_to_the_program() {
        let shown = tabs("run order p1", 3, "../").expect("commands are known");
        assert!(shown.contains("php scangate.php order p1"), "{shown}");
        assert!(shown.contains(r#"href="../samples/csharp/ScanGate.cs""#), "{shown}");
        assert_eq!(shown.matches(" checked").count(), 1);
        assert!(tabs("verify", 0, "").is_some_and(|shown| shown.contains("hash_equals")));
        assert_eq!(tabs("nothing", 0, ""), None);
    }
}
