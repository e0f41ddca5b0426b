//! What does the command line ask for?

use std::{collections::HashSet, ffi::OsString};

pub(crate) const USAGE: &str = "\
usage: explain --audience AUD --trust ISS=JWKS_FILE... [OPTIONS] < TOKENS

Judges tokens as a resource server does, and says for each which checks it passes and which one stops it. TOKENS has one
token a line; an empty line is an empty credential. Nothing is fetched, and nothing of a token is printed.

  --audience AUD           the resource identifier, which a token must name in `aud`
  --trust ISS=JWKS_FILE    trusts the issuer ISS by the JWK Set in the file; may be repeated. Rules of its own:
                           'ISS=JWKS_FILE;audience=AUD;algorithms=RS256,ES256', where `audience` may be repeated
  --algorithms LIST        allows these signature algorithms, with commas between
  --now EPOCH              judges at this moment, in seconds since 1970; default: now
  --leeway S               tolerates this clock difference, in seconds; default: 60
  --profile PROFILE        compat (default) or rfc9068
  --require-scope SCOPE    asks for this scope, as a route does; may be repeated
  --max-token-bytes N      refuses longer tokens; default: 16384
  --json                   prints one JSON object a line
  --help                   prints this

Exit status: 0 when all tokens were judged, whatever the verdicts; 1 when input or output fails; 2 when the command line
is wrong or describes a configuration that cannot work.";

/// The command line, taken apart. Whether the values make sense is for the library to say.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) audience: String,
    pub(crate) trust: Vec<Trust>,
    pub(crate) algorithms: Option<String>,
    pub(crate) now: Option<i64>,
    pub(crate) leeway: Option<u64>,
    pub(crate) rfc9068: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) max_token_bytes: Option<usize>,
    pub(crate) json: bool,
    pub(crate) help: bool,
}

/// One `--trust`.
#[derive(Default)]
pub(crate) struct Trust {
    pub(crate) issuer: String,
    pub(crate) jwks_file: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Option<String>,
}

impl Arguments {
    /// Takes the arguments behind the program's name; the error says what is wrong with them.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter().map(|argument| {
            argument.into_string().map_err(|argument| format!("{argument:?} is not text in UTF-8"))
        });
        let mut parsed = Self::default();
        let mut seen = HashSet::new();
        while let Some(option) = arguments.next().transpose()? {
            let mut value =
                || arguments.next().unwrap_or_else(|| Err(format!("{option} needs a value behind it")));
            match option.as_str() {
                "--audience" => parsed.audience = value()?,
                "--trust" => parsed.trust.push(Trust::parse(&value()?)?),
                "--algorithms" => parsed.algorithms = Some(value()?),
                "--now" => parsed.now = Some(number(&option, &value()?)?),
                "--leeway" => parsed.leeway = Some(number(&option, &value()?)?),
                "--profile" => {
                    parsed.rfc9068 = match value()?.as_str() {
                        "compat" => false,
                        "rfc9068" => true,
                        other => return Err(format!("--profile is `compat` or `rfc9068`, not `{other}`")),
                    };
                }
                "--require-scope" => parsed.scopes.push(value()?),
                "--max-token-bytes" => parsed.max_token_bytes = Some(number(&option, &value()?)?),
                "--json" => parsed.json = true,
                "--help" | "-h" => return Ok(Self { help: true, ..Self::default() }),
                other => return Err(format!("`{other}` is not an option")),
            }
            let repeatable = ["--trust", "--require-scope"].contains(&option.as_str());
            if !repeatable && !seen.insert(option.clone()) {
                return Err(format!("{option} is given twice"));
            }
        }
        if seen.contains("--audience") { Ok(parsed) } else { Err("--audience is missing".to_owned()) }
    }
}

impl Trust {
    /// Split at the first `;`, then at the last `=`: an issuer may hold `=`.
    fn parse(text: &str) -> Result<Self, String> {
        let (entry, rules) = text.split_once(';').map_or((text, None), |(entry, rules)| (entry, Some(rules)));
        let (issuer, jwks_file) = entry
            .rsplit_once('=')
            .ok_or_else(|| format!("--trust is written as ISS=JWKS_FILE, not as `{entry}`"))?;
        let mut trust =
            Self { issuer: issuer.to_owned(), jwks_file: jwks_file.to_owned(), ..Self::default() };
        for rule in rules.into_iter().flat_map(|rules| rules.split(';')) {
            match rule.split_once('=') {
                Some(("audience", audience)) => trust.audiences.push(audience.to_owned()),
                Some(("algorithms", list)) if trust.algorithms.is_none() => {
                    trust.algorithms = Some(list.to_owned());
                }
                Some(("algorithms", _)) => return Err("`algorithms` is given twice in a --trust".to_owned()),
                _ => {
                    return Err(format!("`{rule}` is no rule of a --trust: audience=AUD or algorithms=LIST"));
                }
            }
        }
        Ok(trust)
    }
}

fn number<N: std::str::FromStr>(option: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{option} takes a whole number, not `{text}`"))
}
