//! Names of classes and events as job types.

/// A job type from a name such as `com.acme.ReportJob` or `updateCounters`: `com.acme.report_job`, `update_counters`.
pub(super) fn job_type(name: &str) -> String {
    let words: Vec<String> = name.split(['.', '/', ':']).map(word).filter(|word| !word.is_empty()).collect();
    let joined: String = words.join(".").chars().take(200).collect();
    let joined = joined.trim_end_matches('.');
    if joined.is_empty() { "unnamed".to_owned() } else { joined.to_owned() }
}

fn word(text: &str) -> String {
    let mut word = String::new();
    let mut before = ' ';
    for c in text.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            word.push('_');
        }
        match c {
            c if c.is_ascii_alphanumeric() || c == '-' => word.push(c.to_ascii_lowercase()),
            _ if !word.ends_with('_') => word.push('_'),
            _ => {}
        }
        before = c;
    }
    let word = word.trim_matches(['_', '-']);
    match word.chars().next() {
        None => String::new(),
        Some(c) if c.is_ascii_lowercase() => word.to_owned(),
        // A word starts with a letter.
        Some(_) => format!("n{word}"),
    }
}

#[cfg(test)]
mod tests {
    use carillon_shared::name::JobType;

    use super::*;

    #[test]
    fn every_name_makes_a_type() {
        for (name, expected) in [
            ("com.acme.ReportJob", "com.acme.report_job"),
            ("updateCounters", "update_counters"),
            ("PDFExport", "pdfexport"),
            ("a b/c", "a_b.c"),
            ("2fast", "n2fast"),
            ("..", "unnamed"),
            ("Ünïcode", "n_code"),
        ] {
            assert_eq!(job_type(name), expected, "{name}");
            assert!(job_type(name).parse::<JobType>().is_ok(), "{name}");
        }
    }
}
