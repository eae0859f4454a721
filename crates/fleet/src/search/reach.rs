//! How far somebody sees who is limited to a part of the house (R37), as a conjunct that nothing they ask for gets around.
//!
//! A certificate is inside if it is itself, by its own site, segment and owner and its asset's department; or if its asset
//! is; or a place where it is now; or the asset there. Each of these has to satisfy all limits of one grant, and one grant
//! is enough. What is not known is outside every limit on it, and globs are those of scopes: case counts.

use access::{Permit, Place, Scope, glob};
use store::Value;

use super::compile::{ALWAYS, Compiler, NEVER, Rows, escaped};
use crate::{Fleet, Result};

/// How far somebody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    limits: Vec<Limits>,
}

/// One grant's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Limits {
    scope: Scope,
    /// The segments of its sites: a place knows its segment alone.
    at_sites: Vec<String>,
}

impl Reach {
    /// A segment as a whole is inside: no limit but on sites and segments lets it be.
    pub fn holds(&self, site: Option<&str>, segment: Option<&str>) -> bool {
        let place = Place {
            site,
            segment,
            ..Place::default()
        };
        let mut limits = self.limits.iter();
        limits.any(|limits| limits.scope.check_place(&place).is_ok())
    }
}

impl Fleet {
    /// How far a permit reaches; `None` is everywhere.
    pub async fn reach(&self, permit: &Permit) -> Result<Option<Reach>> {
        let Some(scopes) = permit.places() else {
            return Ok(None);
        };
        let segments = match scopes.iter().any(|scope| !scope.sites.is_empty()) {
            true => self.segments().await?,
            false => Vec::new(),
        };
        let of_sites = |globs: &[String]| {
            let is_there = |site: &str| globs.iter().any(|pattern| glob(pattern, site));
            let there = segments
                .iter()
                .filter(|stored| stored.segment.site.as_deref().is_some_and(is_there));
            there.map(|stored| stored.segment.name.clone()).collect()
        };
        let limits = scopes.into_iter().map(|scope| Limits {
            at_sites: of_sites(&scope.sites),
            scope: scope.clone(),
        });
        Ok(Some(Reach {
            limits: limits.collect(),
        }))
    }
}

impl Compiler {
    /// The row is inside.
    pub(super) fn within(&mut self, reach: &Reach) -> String {
        let each = reach.limits.iter().map(|limits| match self.target.rows {
            Rows::Certificates => self.certificate_within(limits),
            Rows::Places => self.place_within(limits),
        });
        joined(each.collect(), " OR ", NEVER)
    }

    fn certificate_within(&mut self, limits: &Limits) -> String {
        let (own, of_asset) = (self.own(limits), self.of_asset(limits));
        let (owner, standing) = (self.owner(limits), self.standing(limits));
        let asset = self.there_is("assets a", ("i.asset", "a.id"), &of_asset);
        let place = self.there_is(
            "places p",
            ("i.id", "p.certificate"),
            &format!("p.gone IS NULL AND {standing}"),
        );
        let there = self.there_is(
            "places p JOIN assets a ON a.id = p.asset",
            ("i.id", "p.certificate"),
            &format!("p.gone IS NULL AND {of_asset}"),
        );
        format!("({own} OR {asset} OR ({owner} AND {place}) OR {there})")
    }

    fn place_within(&mut self, limits: &Limits) -> String {
        let (owner, standing) = (self.owner(limits), self.standing(limits));
        let of_asset = self.of_asset(limits);
        format!(
            "(({owner} AND {standing}) OR EXISTS(SELECT 1 FROM assets a WHERE a.id = p.asset AND {of_asset}))"
        )
    }

    /// The certificates inside, each perhaps more than once, along the indexes that there are.
    pub(super) fn those_within(&mut self, reach: &Reach) -> String {
        let each = reach.limits.iter().map(|limits| {
            let (own, of_asset) = (self.own(limits), self.of_asset(limits));
            let (owner, standing) = (self.owner(limits), self.standing(limits));
            format!(
                "SELECT i.id FROM inventory i WHERE {own} UNION ALL \
                 SELECT i.id FROM assets a JOIN inventory i ON i.asset = a.id WHERE {of_asset} UNION ALL \
                 SELECT i.id FROM places p JOIN inventory i ON i.id = p.certificate \
                 WHERE p.gone IS NULL AND {owner} AND {standing} UNION ALL \
                 SELECT i.id FROM places p JOIN assets a ON a.id = p.asset JOIN inventory i ON i.id = p.certificate \
                 WHERE p.gone IS NULL AND {of_asset}"
            )
        });
        let each: Vec<String> = each.collect();
        match each.is_empty() {
            true => format!("SELECT i.id FROM inventory i WHERE {NEVER}"),
            false => each.join(" UNION ALL "),
        }
    }

    /// The certificate, by what is said of itself.
    fn own(&mut self, limits: &Limits) -> String {
        let scope = &limits.scope;
        let parts = [
            self.fits("i.site", &scope.sites),
            self.fits("i.segment", &scope.segments),
            self.fits("i.owner", &scope.owners),
            self.in_department("i.asset", &scope.departments),
        ];
        joined(parts.into_iter().flatten().collect(), " AND ", ALWAYS)
    }

    /// An asset, as the register has it.
    fn of_asset(&mut self, limits: &Limits) -> String {
        let scope = &limits.scope;
        let parts = [
            self.fits("a.site", &scope.sites),
            self.fits("a.segment", &scope.segments),
            self.fits("a.department", &scope.departments),
            self.fits("a.owner", &scope.owners),
        ];
        joined(parts.into_iter().flatten().collect(), " AND ", ALWAYS)
    }

    /// A place is whose the certificate there is.
    fn owner(&mut self, limits: &Limits) -> String {
        let owner = self.fits("i.owner", &limits.scope.owners);
        owner.unwrap_or_else(|| ALWAYS.to_owned())
    }

    /// A place, by where it is.
    fn standing(&mut self, limits: &Limits) -> String {
        let scope = &limits.scope;
        let at_site = (!scope.sites.is_empty()).then(|| {
            let names = limits.at_sites.iter();
            let names: Vec<String> = names.map(|name| self.once(name.clone())).collect();
            match names.is_empty() {
                true => NEVER.to_owned(),
                false => format!("p.segment IN ({})", names.join(", ")),
            }
        });
        let parts = [
            at_site,
            self.fits("p.segment", &scope.segments),
            self.in_department("p.asset", &scope.departments),
        ];
        joined(parts.into_iter().flatten().collect(), " AND ", ALWAYS)
    }

    fn in_department(&mut self, asset: &str, globs: &[String]) -> Option<String> {
        let fits = self.fits("d.department", globs)?;
        Some(format!(
            "EXISTS(SELECT 1 FROM assets d WHERE d.id = {asset} AND {fits})"
        ))
    }

    /// One of the globs fits; `None` if there are none, which is no limit.
    fn fits(&mut self, sql: &str, globs: &[String]) -> Option<String> {
        let each: Vec<String> = globs.iter().map(|glob| self.fit(sql, glob)).collect();
        (!each.is_empty()).then(|| joined(each, " OR ", NEVER))
    }

    fn fit(&mut self, sql: &str, glob: &str) -> String {
        let Some((begin, _)) = glob.split_once('*') else {
            let value = self.once(glob.to_owned());
            if !is_lowered(sql) {
                return format!("({sql} = {value})");
            }
            let lower = self.once(glob.to_ascii_lowercase());
            return format!("({sql} IS NOT NULL AND LOWER({sql}) = {lower} AND {sql} = {value})");
        };
        let fits = match self.target.postgres {
            true => {
                let pattern = self.once(escaped(glob).replace('*', "%"));
                format!("{sql} LIKE {pattern} ESCAPE '!'")
            }
            false => {
                let pattern = glob.replace('[', "[[]").replace('?', "[?]");
                format!("{sql} GLOB {}", self.once(pattern))
            }
        };
        if begin.is_empty() || !is_lowered(sql) {
            return format!("({sql} IS NOT NULL AND {fits})");
        }
        let begin = begin.to_ascii_lowercase();
        let end = self.once(format!("{begin}{}", char::MAX));
        let begin = self.once(begin);
        format!(
            "({sql} IS NOT NULL AND LOWER({sql}) >= {begin} AND LOWER({sql}) <= {end} AND {fits})"
        )
    }

    /// A parameter that is asked for several times is sent once.
    fn once(&mut self, text: String) -> String {
        let value = Value::from(text);
        match self.params.iter().position(|known| *known == value) {
            Some(at) => format!("${}", at + 1),
            None => self.param(value),
        }
    }
}

/// The index has it in lower case (schema/v4.sql), where a range of it is found.
fn is_lowered(sql: &str) -> bool {
    matches!(sql, "i.owner" | "i.segment")
}

fn joined(parts: Vec<String>, word: &str, none: &str) -> String {
    match parts.is_empty() {
        true => none.to_owned(),
        false => format!("({})", parts.join(word)),
    }
}
