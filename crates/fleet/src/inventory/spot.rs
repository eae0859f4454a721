//! A place in the middle of a batch: what is known of it, moved on by one look after another, and then the rows that
//! this makes. History is kept in full: a certificate that was there for one look of a batch has its row (R52).

use agent::observation::{FileSeen, TlsSeen};
use store::{Value, params};

use super::place::{self, Columns, Says};
use super::stored::KnownPlace;

/// One look at one place.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) at: i64,
    pub(crate) columns: Columns,
    pub(crate) says: Says,
    /// Whether the place becomes known by it.
    pub(crate) kept: bool,
    /// Its word and what it says beside that.
    pub(crate) outcome: (String, String),
    pub(crate) capture: bool,
    pub(crate) tls: Option<TlsSeen>,
    pub(crate) file: Option<FileSeen>,
    /// SHA-256 of each certificate as sent.
    pub(crate) chain: Vec<u8>,
    pub(crate) from: String,
}

impl Moment {
    pub(crate) fn place(&self) -> &str {
        &self.columns.place
    }

    pub(crate) fn leaf(&self) -> Option<&[u8]> {
        self.chain.get(..32)
    }
}

/// What a place is like, as far as a change of it matters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) certificate: Option<i64>,
    pub(crate) chain: Vec<u8>,
    pub(crate) outcome: (String, String),
    pub(crate) tls: Option<TlsSeen>,
    pub(crate) file: Option<FileSeen>,
    pub(crate) gone: Option<i64>,
}

impl State {
    fn is_same(&self, other: &State) -> bool {
        place::same_service(self.tls.as_ref(), other.tls.as_ref())
            && self.certificate == other.certificate
            && self.chain == other.chain
            && self.outcome == other.outcome
            && self.file == other.file
            && self.gone.is_some() == other.gone.is_some()
    }
}

/// A row of history that is made by this batch.
#[derive(Clone, Debug)]
struct Stay {
    certificate: i64,
    first: i64,
    last: i64,
    until: Option<i64>,
}

pub(crate) struct Spot {
    /// Its row's number, once it has one.
    pub(crate) id: i64,
    pub(crate) columns: Columns,
    pub(crate) segment: Option<String>,
    /// As it was before this batch; `None` if it was not known.
    before: Option<KnownPlace>,
    state: State,
    first_seen: i64,
    last_seen: i64,
    changed_at: i64,
    from: String,
    /// Stays that this batch begins; the last may be open.
    stays: Vec<Stay>,
    /// How the stay that was open before goes on: last seen, and ended when.
    open: Option<(i64, Option<i64>)>,
    /// What was there before it was known to be a place.
    earlier: Vec<Stay>,
}

impl Spot {
    pub(crate) fn new(moment: &Moment, segment: Option<String>) -> Self {
        Spot {
            id: 0,
            columns: moment.columns.clone(),
            segment,
            before: None,
            state: State {
                certificate: None,
                chain: Vec::new(),
                outcome: moment.outcome.clone(),
                tls: None,
                file: None,
                gone: None,
            },
            first_seen: moment.at,
            last_seen: moment.at,
            changed_at: moment.at,
            from: moment.from.clone(),
            stays: Vec::new(),
            open: None,
            earlier: Vec::new(),
        }
    }

    pub(crate) fn known(moment: &Moment, known: KnownPlace) -> Self {
        let open = known.state.certificate.map(|_| (known.last_seen, None));
        Spot {
            id: known.id,
            columns: moment.columns.clone(),
            segment: None,
            state: known.state.clone(),
            first_seen: known.first_seen,
            last_seen: known.last_seen,
            changed_at: known.changed_at,
            from: known.seen_by.clone(),
            before: Some(known),
            stays: Vec::new(),
            open,
            earlier: Vec::new(),
        }
    }

    /// Moves on by one look. `certificate` is the row of the leaf that it saw. `false`: it is older than what is known.
    pub(crate) fn apply(&mut self, moment: &Moment, certificate: Option<i64>) -> bool {
        if moment.at < self.last_seen {
            self.look_back(moment, certificate);
            return false;
        }
        match moment.says {
            Says::Nothing => return true,
            Says::Certificate => self.shows(moment, certificate),
            Says::None => self.shows_none(moment),
            Says::Unclear => self.is_unclear(moment),
        }
        true
    }

    /// What was there before anything that is known makes its history longer, and nothing else.
    fn look_back(&mut self, moment: &Moment, certificate: Option<i64>) {
        if moment.at >= self.first_seen || moment.says != Says::Certificate {
            return;
        }
        if let Some(certificate) = certificate {
            self.earlier.push(Stay {
                certificate,
                first: moment.at,
                last: moment.at,
                until: Some(self.first_seen),
            });
        }
        self.first_seen = moment.at;
    }

    fn shows(&mut self, moment: &Moment, certificate: Option<i64>) {
        self.seen(moment);
        self.state.outcome = match (certificate, moment.chain.is_empty()) {
            (None, false) => (
                place::UNREADABLE.to_owned(),
                "what was sent as the certificate is none".to_owned(),
            ),
            _ => moment.outcome.clone(),
        };
        if certificate != self.state.certificate {
            self.end_stay(moment.at);
            // A row of history is found by its place and beginning.
            let first = match self.before.is_some() || !self.stays.is_empty() {
                true => moment.at.max(self.changed_at + 1),
                false => moment.at,
            };
            self.changed_at = first;
            self.stays.extend(certificate.map(|certificate| Stay {
                certificate,
                first,
                last: first,
                until: None,
            }));
        } else {
            self.go_on(moment.at);
        }
        self.state.certificate = certificate;
        self.state.chain.clone_from(&moment.chain);
        self.state.gone = None;
        self.state.tls = place::merged(self.state.tls.take(), moment.tls.clone());
        self.state.file.clone_from(&moment.file);
    }

    fn shows_none(&mut self, moment: &Moment) {
        self.seen(moment);
        self.state.outcome.clone_from(&moment.outcome);
        if self.state.certificate.take().is_some() || !self.state.chain.is_empty() {
            self.end_stay(moment.at);
            self.state.chain.clear();
            self.state.gone = Some(moment.at);
            self.changed_at = moment.at.max(self.changed_at);
        } else if !moment.kept {
            self.state.gone.get_or_insert(moment.at);
        }
        self.state.tls = moment.tls.clone();
        self.state.file.clone_from(&moment.file);
    }

    fn is_unclear(&mut self, moment: &Moment) {
        let spoke = moment.kept && moment.outcome.0 != "hung";
        if spoke {
            self.seen(moment);
        }
        // What a capture could not see is no news about a place that a scan has seen.
        if !(moment.capture && self.state.certificate.is_some()) {
            self.state.outcome.clone_from(&moment.outcome);
        }
        self.state.tls = place::merged(self.state.tls.take(), moment.tls.clone());
    }

    fn seen(&mut self, moment: &Moment) {
        self.last_seen = moment.at;
        self.from.clone_from(&moment.from);
    }

    fn end_stay(&mut self, at: i64) {
        match self.stays.last_mut() {
            Some(stay) => stay.until = stay.until.or(Some(at)),
            None => {
                if let Some((_, until)) = &mut self.open {
                    *until = until.or(Some(at));
                }
            }
        }
    }

    fn go_on(&mut self, at: i64) {
        match self.stays.last_mut() {
            Some(stay) => stay.last = stay.last.max(at),
            None => {
                if let Some((last, None)) = &mut self.open {
                    *last = at;
                }
            }
        }
    }

    pub(crate) fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// Whether something is otherwise than before, that somebody follows.
    pub(crate) fn is_changed(&self) -> bool {
        let before = self.before.as_ref();
        before.is_some_and(|before| !before.state.is_same(&self.state))
    }

    /// Whether the row is written whole: it is changed, or it says the same in another way.
    pub(crate) fn is_rewritten(&self) -> bool {
        let before = self.before.as_ref();
        before.is_some_and(|before| before.state != self.state)
    }

    pub(crate) fn is_seen(&self) -> bool {
        self.before.as_ref().is_some_and(|before| {
            before.last_seen != self.last_seen || before.first_seen != self.first_seen
        })
    }

    pub(crate) fn has_gone(&self) -> bool {
        let before = self.before.as_ref();
        self.state.gone.is_some() && before.is_some_and(|before| before.state.gone.is_none())
    }

    /// The certificates that this change is about.
    pub(crate) fn concerned(&self) -> impl Iterator<Item = i64> {
        let before = self.before.as_ref();
        let before = before.and_then(|before| before.state.certificate);
        before.into_iter().chain(self.state.certificate)
    }

    /// The row of a place that is new.
    pub(crate) fn into_row(self, touched: i64) -> Vec<Value> {
        let Spot {
            id,
            columns,
            segment,
            state,
            first_seen,
            last_seen,
            changed_at,
            from,
            ..
        } = self;
        params![
            id,
            columns.place,
            columns.kind,
            columns.address,
            columns.ip,
            columns.port,
            columns.sni,
            columns.starttls,
            columns.host,
            columns.path,
            columns.alias,
            segment,
            state.certificate,
            state.chain,
            state.outcome.0,
            state.outcome.1,
            place::json(state.tls.as_ref()),
            place::json(state.file.as_ref()),
            first_seen,
            last_seen,
            changed_at,
            state.gone,
            from,
            touched,
        ]
    }

    pub(crate) fn changed_row(&self, touched: i64) -> Vec<Value> {
        let touched = match &self.before {
            Some(before) if !self.is_changed() => before.touched,
            _ => touched,
        };
        params![
            self.id,
            self.state.certificate,
            self.state.chain.clone(),
            self.state.outcome.0.as_str(),
            self.state.outcome.1.as_str(),
            place::json(self.state.tls.as_ref()),
            place::json(self.state.file.as_ref()),
            self.first_seen,
            self.last_seen,
            self.changed_at,
            self.state.gone,
            self.from.as_str(),
            touched,
        ]
    }

    pub(crate) fn seen_row(&self) -> Vec<Value> {
        params![self.id, self.first_seen, self.last_seen, self.from.as_str()]
    }

    /// The end of the stay that was open before.
    pub(crate) fn closed(&self) -> Vec<Vec<Value>> {
        match self.open {
            Some((last, Some(until))) => vec![params![self.id, last, until]],
            _ => Vec::new(),
        }
    }

    /// The stay that was open before, and is.
    pub(crate) fn still(&self) -> Vec<Vec<Value>> {
        match (self.open, &self.before) {
            (Some((last, None)), Some(before)) if last != before.last_seen => {
                vec![params![self.id, last]]
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn opened(&self) -> Vec<Vec<Value>> {
        self.stays.iter().map(|stay| self.stay_row(stay)).collect()
    }

    pub(crate) fn earlier(&self) -> Vec<Vec<Value>> {
        let rows = self.earlier.iter();
        rows.map(|stay| self.stay_row(stay)).collect()
    }

    fn stay_row(&self, stay: &Stay) -> Vec<Value> {
        params![self.id, stay.certificate, stay.first, stay.last, stay.until]
    }
}
