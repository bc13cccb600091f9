//! The declaration of a table. Everything about a key follows from its one line here.

/// Declares a table: each key once, with text, type, bounds and default.
///
/// The modes of a key: `default T = literal`, `optional T`, `rare T` (an optional one that is large and seldom written, kept apart), `required T`, `table T` (a section with defaults of its
/// own), `named String` (a name made up when it is absent), `key String` (the key this table is under), `group T` (several keys read together).
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        $vis:vis struct $Name:ident {
            $($(#[doc = $field_doc:literal])+ $field:ident : $mode:ident $Type:ty $([$range:expr])? $(= $default:expr)?,)*
        }
        $(not yet: $($later:literal),+;)?
        $(shorthand: $shape:expr, $shorthand:path;)?
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $Name {
            $($(#[doc = $field_doc])+ pub $field: $crate::schema::section!(@type $mode $Type),)*
        }

        impl $crate::schema::Section for $Name {
            #[allow(clippy::vec_init_then_push, reason = "some keys add none or several")]
            fn description() -> $crate::schema::Description {
                let mut fields = Vec::new();
                $($crate::schema::section!(@describe fields $mode $field ($Type) concat!($($field_doc, "\n"),+), ($($range)?) ($($default)?));)*
                $crate::schema::Description { doc: concat!($($doc, "\n"),+), fields }
            }

            fn read(reader: &mut $crate::schema::Reader<'_>, cx: &mut $crate::schema::Context<'_>) -> Option<Self> {
                $(reader.later(&[$($later),+]);)?
                $(let $field = $crate::schema::section!(@read reader cx $mode $field ($Type) ($($range)?) ($($default)?));)*
                Some(Self { $($field: $field?,)* })
            }

            #[allow(clippy::vec_init_then_push, reason = "some keys add none or several")]
            fn lines(&self) -> Vec<$crate::schema::Line> {
                let mut lines = Vec::new();
                $($crate::schema::section!(@lines lines self $mode $field);)*
                lines
            }

            $(fn shorthand() -> Option<$crate::schema::decode::Shorthand<Self>> {
                Some(($shape, $shorthand))
            })?
        }
    };

    (@type default $Type:ty) => { $crate::schema::Val<$Type> };
    (@type required $Type:ty) => { $crate::schema::Val<$Type> };
    (@type table $Type:ty) => { $crate::schema::Val<$Type> };
    (@type key $Type:ty) => { $crate::schema::Val<$Type> };
    (@type named $Type:ty) => { $crate::schema::Val<$Type> };
    (@type optional $Type:ty) => { Option<$crate::schema::Val<$Type>> };
    (@type rare $Type:ty) => { Option<Box<$crate::schema::Val<$Type>>> };
    (@type group $Type:ty) => { $Type };

    (@describe $fields:ident key $field:ident ($Type:ty) $doc:expr, () ()) => {};
    (@describe $fields:ident group $field:ident ($Type:ty) $doc:expr, () ()) => { $fields.extend(<$Type>::fields()) };
    (@describe $fields:ident $mode:ident $field:ident ($Type:ty) $doc:expr, ($($range:expr)?) ($($default:expr)?)) => {
        $fields.push($crate::schema::Field {
            key: stringify!($field),
            doc: $doc,
            default: $crate::schema::section!(@default $($default)?),
            required: stringify!($mode) == "required",
            shape: <$Type as $crate::schema::Value>::shape()$(.within(&$range))?,
        })
    };
    (@default) => { None };
    (@default $default:expr) => { Some(stringify!($default).to_owned()) };

    (@read $reader:ident $cx:ident key $field:ident ($Type:ty) () ()) => {
        Some($crate::schema::Val::default_value(<$Type>::default()))
    };
    (@read $reader:ident $cx:ident group $field:ident ($Type:ty) () ()) => { Some(<$Type>::read_group($reader, $cx)) };
    (@read $reader:ident $cx:ident named $field:ident ($Type:ty) () ()) => {
        Some($reader.take(stringify!($field)).and_then(|node| {
            let value = <$Type as $crate::schema::Value>::decode(node, $cx)?;
            Some($crate::schema::Val::written(value, node.span))
        }).unwrap_or_else(|| $crate::schema::Val::default_value(<$Type>::default())))
    };
    (@read $reader:ident $cx:ident table $field:ident ($Type:ty) () ()) => {
        $reader.entry(stringify!($field)).and_then(|entry| {
            let value = <$Type as $crate::schema::Value>::decode(&entry.node, $cx)?;
            Some($crate::schema::Val::written(value, entry.key_span))
        }).or_else(|| $crate::schema::decode::absent::<$Type>($cx).map($crate::schema::Val::default_value))
    };
    (@read $reader:ident $cx:ident default $field:ident ($Type:ty) ($($range:expr)?) ($default:expr)) => {{
        let written = $reader.take(stringify!($field)).and_then(|node| {
            let value = <$Type as $crate::schema::Value>::decode(node, $cx)?;
            $(let value = $crate::schema::decode::in_range(value, &$range, node, $cx)?;)?
            Some($crate::schema::Val::written(value, node.span))
        });
        Some(written.unwrap_or_else(|| {
            // Read once: a hundred thousand routes have it each.
            static DEFAULT: std::sync::OnceLock<$Type> = std::sync::OnceLock::new();
            let read = || $crate::schema::decode::default_value::<$Type>(stringify!($default));
            $crate::schema::Val::default_value(DEFAULT.get_or_init(read).clone())
        }))
    }};
    (@read $reader:ident $cx:ident optional $field:ident ($Type:ty) ($($range:expr)?) ()) => {
        Some($reader.take(stringify!($field)).and_then(|node| {
            let value = <$Type as $crate::schema::Value>::decode(node, $cx)?;
            $(let value = $crate::schema::decode::in_range(value, &$range, node, $cx)?;)?
            Some($crate::schema::Val::written(value, node.span))
        }))
    };
    (@read $reader:ident $cx:ident rare $field:ident ($Type:ty) () ()) => {
        Some($reader.take(stringify!($field)).and_then(|node| {
            let value = <$Type as $crate::schema::Value>::decode(node, $cx)?;
            Some(Box::new($crate::schema::Val::written(value, node.span)))
        }))
    };
    (@read $reader:ident $cx:ident required $field:ident ($Type:ty) ($($range:expr)?) ()) => {
        match $reader.take(stringify!($field)) {
            Some(node) => <$Type as $crate::schema::Value>::decode(node, $cx)
                $(.and_then(|value| $crate::schema::decode::in_range(value, &$range, node, $cx)))?
                .map(|value| $crate::schema::Val::written(value, node.span)),
            None => $reader.missing(&[stringify!($field)]),
        }
    };

    (@lines $lines:ident $self:ident key $field:ident) => {};
    (@lines $lines:ident $self:ident group $field:ident) => { $lines.extend($self.$field.group_lines()) };
    (@lines $lines:ident $self:ident optional $field:ident) => {
        if let Some(value) = &$self.$field {
            $lines.push($crate::schema::Line::of(stringify!($field), value, $crate::schema::Value::write(&value.value)));
        }
    };
    (@lines $lines:ident $self:ident rare $field:ident) => { $crate::schema::section!(@lines $lines $self optional $field) };
    (@lines $lines:ident $self:ident $mode:ident $field:ident) => {
        $lines.push($crate::schema::Line::of(stringify!($field), &$self.$field, $crate::schema::Value::write(&$self.$field.value)))
    };
}
pub(crate) use section;
