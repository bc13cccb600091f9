//! `show stat`: one row for each listener, server and service, in HAProxy's columns and three notations.

pub(crate) mod columns;
pub(crate) mod rows;
mod write;

pub(crate) use columns::{Column, Kind};
pub(crate) use write::{push_json_field, render};

use super::command::{ProxyRef, StatFilter, StatQuery};

/// One row; a column without a value does not apply to it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What it is about.
    pub(crate) kind: Kind,
    /// Number of its listener or service.
    pub(crate) iid: u32,
    /// Number of its server, 0 for others.
    pub(crate) sid: u32,
    /// Whether it stands for a server that is up; true for other rows.
    pub(crate) is_up: bool,
    /// Whether it stands for a server in maintenance.
    pub(crate) in_maintenance: bool,
    cells: Vec<Option<Value>>,
}

/// A value of the statistics, with the type tools are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// `str`: ASCII; others are escaped when written.
    Text(String),
    /// `u32`.
    U32(u32),
    /// `s32`.
    S32(i32),
    /// `u64`.
    U64(u64),
    /// `flt`: a number written with its fraction.
    Float(String),
}

impl Row {
    /// A row without values.
    pub(crate) fn new(kind: Kind, iid: u32, sid: u32) -> Self {
        let cells = vec![None; Column::ALL.len()];
        Self {
            kind,
            iid,
            sid,
            is_up: true,
            in_maintenance: false,
            cells,
        }
    }

    /// Sets a text.
    pub(crate) fn text(&mut self, column: Column, text: impl Into<String>) -> &mut Self {
        self.set(column, Value::Text(text.into()))
    }

    /// Sets a number of 32 bits; larger ones become the largest.
    pub(crate) fn u32(&mut self, column: Column, number: impl TryInto<u32>) -> &mut Self {
        self.set(column, Value::U32(number.try_into().unwrap_or(u32::MAX)))
    }

    /// Sets a number of 64 bits.
    pub(crate) fn u64(&mut self, column: Column, number: u64) -> &mut Self {
        self.set(column, Value::U64(number))
    }

    /// Sets a value.
    pub(crate) fn set(&mut self, column: Column, value: Value) -> &mut Self {
        if let Some(cell) = self.cells.get_mut(column.position()) {
            *cell = Some(value);
        }
        self
    }

    /// The value of a column.
    pub(crate) fn value(&self, column: Column) -> Option<&Value> {
        self.cells.get(column.position()).and_then(Option::as_ref)
    }

    /// The columns with a value, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = (Column, &Value)> {
        Column::ALL
            .iter()
            .filter_map(|column| self.value(*column).map(|value| (*column, value)))
    }

    /// Whether `query` asks for this row. A filter by name is resolved to a number by [`resolve`] first.
    pub(crate) fn is_asked_by(&self, query: &StatQuery, proxy: Option<u32>) -> bool {
        let types = query.filter.as_ref().map_or(-1, |filter| filter.types);
        let server = query.filter.as_ref().map_or(-1, |filter| filter.server);
        proxy.is_none_or(|iid| iid == self.iid)
            && types & self.kind.bit() != 0
            && (self.kind != Kind::Server || server == -1 || server == i64::from(self.sid))
            && (self.is_up || !query.only_up)
            && !(self.in_maintenance && query.no_maint)
    }
}

/// The number of the listener or service a filter names: `Ok(None)` for every one, an error for a name nobody has.
pub(crate) fn resolve(
    filter: Option<&StatFilter>,
    rows: &[Row],
) -> Result<Option<u32>, &'static str> {
    match filter.map(|filter| &filter.proxy) {
        None | Some(ProxyRef::Any) => Ok(None),
        Some(ProxyRef::Number(number)) => Ok(Some(u32::try_from(*number).unwrap_or(u32::MAX))),
        Some(ProxyRef::Name(name)) => {
            let named = |row: &&Row| matches!(row.value(Column::Pxname), Some(Value::Text(text)) if text == name);
            rows.iter()
                .find(named)
                .map(|row| Some(row.iid))
                .ok_or("No such proxy.")
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::admin::command::Form;

    pub(crate) fn sample() -> Vec<Row> {
        let mut rows = Vec::new();
        for (kind, name, iid, sid, scur) in [
            (Kind::Frontend, "web", 2, 0, 1),
            (Kind::Server, "app", 3, 1, 2),
            (Kind::Server, "app", 3, 2, 0),
            (Kind::Backend, "app", 3, 0, 2_u32),
        ] {
            let mut row = Row::new(kind, iid, sid);
            row.text(Column::Pxname, name)
                .u32(Column::Scur, scur)
                .u64(Column::Stot, u64::MAX);
            rows.push(row);
        }
        rows
    }

    fn asked(query: &StatQuery) -> Vec<(u32, u32)> {
        let rows = sample();
        let proxy = resolve(query.filter.as_ref(), &rows);
        rows.iter()
            .filter(|row| row.is_asked_by(query, proxy.unwrap_or(None)))
            .map(|row| (row.iid, row.sid))
            .collect()
    }

    fn filtered(proxy: ProxyRef, types: i64, server: i64) -> Vec<(u32, u32)> {
        asked(&StatQuery {
            filter: Some(StatFilter {
                proxy,
                types,
                server,
            }),
            ..StatQuery::default()
        })
    }

    #[test]
    fn filters_by_object_type_and_server() {
        assert_eq!(asked(&StatQuery::default()).len(), 4);
        assert_eq!(filtered(ProxyRef::Any, 4, -1), [(3, 1), (3, 2)]);
        assert_eq!(filtered(ProxyRef::Any, 6, -1), [(3, 1), (3, 2), (3, 0)]);
        assert_eq!(filtered(ProxyRef::Number(2), -1, -1), [(2, 0)]);
        assert_eq!(filtered(ProxyRef::Name("app".to_owned()), 4, 2), [(3, 2)]);
        assert_eq!(
            filtered(ProxyRef::Number(2), 4, -1),
            [],
            "a listener has no servers"
        );
        assert_eq!(
            filtered(ProxyRef::Number(-7), -1, -1),
            [],
            "no number is negative"
        );
    }

    #[test]
    fn an_unknown_name_is_told() {
        let filter = StatFilter {
            proxy: ProxyRef::Name("zz".to_owned()),
            types: -1,
            server: -1,
        };
        assert_eq!(resolve(Some(&filter), &sample()), Err("No such proxy."));
    }

    #[test]
    fn up_and_no_maint_leave_rows_out() {
        let mut row = Row::new(Kind::Server, 1, 1);
        row.is_up = false;
        row.in_maintenance = true;
        let form = Form::default();
        assert!(!row.is_asked_by(
            &StatQuery {
                only_up: true,
                form,
                no_maint: false,
                filter: None
            },
            None
        ));
        assert!(!row.is_asked_by(
            &StatQuery {
                no_maint: true,
                form,
                only_up: false,
                filter: None
            },
            None
        ));
        assert!(row.is_asked_by(&StatQuery::default(), None));
    }
}
