//! The sites in a database: which there are, what their hubs have reported, and stores that read them.

use api::SiteName;
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::Reading;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

use super::connections::site_of;
use super::{ConnectionPurpose, Postgres};
use crate::store::rows::reading;
use crate::store::{HistoryRow, SiteRecord, StoreError};

/// Schema of a site without a name.
const UNNAMED: &str = "public";
/// Age at which a last reading is no longer looked for.
const MAX_LAST_READING_AGE: SignedDuration = SignedDuration::from_hours(24);

/// Schemas with tables of Mains that this user may read, without the hub's own, and whether each has the table of hubs.
const SCHEMAS: &str = "SELECT nspname::text, hubs.oid IS NOT NULL FROM pg_namespace AS space \
    JOIN pg_class AS plugs ON plugs.relnamespace = space.oid AND plugs.relname = 'plugs' \
    JOIN pg_class AS settings ON settings.relnamespace = space.oid AND settings.relname = 'settings' \
    LEFT JOIN pg_class AS hubs ON hubs.relnamespace = space.oid AND hubs.relname = 'hubs' \
    WHERE obj_description(settings.oid, 'pg_class') = 'Mains' AND nspname <> current_schema() \
    AND has_schema_privilege(space.oid, 'USAGE') AND has_table_privilege(plugs.oid, 'SELECT') ORDER BY nspname";

/// The last reading of each plug with a recent one.
const LAST_READINGS: &str = "SELECT mac, at_ms, voltage, current, frequency, power, counter_wh FROM series \
    CROSS JOIN LATERAL (SELECT * FROM readings WHERE plug = id AND at_ms >= $1 ORDER BY at_ms DESC LIMIT 1) AS last";

/// (MAC, at, voltage, current, frequency, power, counter)
type LastReading = (
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

/// (URL, milliseconds since the report, summary) of a hub.
type HubRow = (Option<String>, i64, Option<String>);

impl Postgres {
    /// Returns the other sites in the database that this user may read.
    pub(super) async fn read_other_sites(&self) -> Result<Vec<SiteRecord>, StoreError> {
        self.read(|pool| async move {
            let mut sites = Vec::new();
            for OtherSchema {
                schema,
                site,
                has_hubs,
            } in other_schemas(&pool).await?
            {
                let hub = match has_hubs {
                    true => hub(&pool, &schema).await?,
                    false => None,
                };
                let mut record = SiteRecord {
                    site,
                    url: None,
                    age: None,
                    summary: Value::Null,
                };
                if let Some((url, age, summary)) = hub {
                    record.url = url;
                    record.age = Some(SignedDuration::from_millis(age));
                    let summary = summary.and_then(|text| serde_json::from_str(&text).ok());
                    record.summary = summary.unwrap_or(Value::Null);
                }
                sites.push(record);
            }
            Ok(sites)
        })
        .await
    }

    /// Returns the plugs of the other sites in the database, over the hub's own connections: one for each of many sites, which all
    /// hubs want every few seconds, would soon be more than a server has.
    pub(super) async fn read_plugs_of_other_sites(
        &self,
    ) -> Result<Vec<(Mac, SiteName)>, StoreError> {
        self.read(|pool| async move {
            let schemas = other_schemas(&pool).await?;
            let of_each: Vec<String> = schemas
                .iter()
                .enumerate()
                // The name of a schema of ours has letters, digits and underscores alone.
                .map(|(place, other)| format!("SELECT {place}, mac FROM {}.plugs", other.schema))
                .collect();
            if of_each.is_empty() {
                return Ok(Vec::new());
            }
            let sql = AssertSqlSafe(of_each.join(" UNION ALL "));
            let rows: Vec<(i32, String)> = sqlx::query_as(sql).fetch_all(&pool).await?;
            let plug = |(place, mac): (i32, String)| {
                let other = schemas.get(usize::try_from(place).ok()?)?;
                Some((mac.parse().ok()?, other.site.clone()))
            };
            Ok(rows.into_iter().filter_map(plug).collect())
        })
        .await
    }

    /// Returns a store that reads another site and writes nothing.
    pub(super) fn reader(&self, site: &SiteName) -> Result<Self, StoreError> {
        let mut config = self.config.clone();
        config.site = site.clone();
        Self::over(ConnectionPurpose::OtherSite, config, self.retention)
    }

    pub(super) async fn read_last_readings(&self) -> Result<Vec<Reading>, StoreError> {
        let since = plugs::now().saturating_sub(MAX_LAST_READING_AGE);
        let since = since.unwrap_or(Timestamp::MIN).as_millisecond();
        self.read(|pool| async move {
            let query = sqlx::query_as(LAST_READINGS).bind(since);
            let rows: Vec<LastReading> = query.fetch_all(&pool).await?;
            Ok(rows.into_iter().filter_map(last_reading).collect())
        })
        .await
    }
}

/// The schema of another site.
struct OtherSchema {
    schema: String,
    site: SiteName,
    /// `true` if it has the table of hubs.
    has_hubs: bool,
}

/// Returns the schemas of the other sites.
async fn other_schemas(pool: &PgPool) -> Result<Vec<OtherSchema>, sqlx::Error> {
    let rows: Vec<(String, bool)> = sqlx::query_as(SCHEMAS).fetch_all(pool).await?;
    let other = |(schema, has_hubs): (String, bool)| {
        let site = match schema.as_str() {
            UNNAMED => Some(SiteName::default()),
            other => site_of(other),
        };
        site.map(|site| OtherSchema {
            schema,
            site,
            has_hubs,
        })
    };
    Ok(rows.into_iter().filter_map(other).collect())
}

/// Returns the row of the hub of a site that is active, else of the one that reported last.
async fn hub(pool: &PgPool, schema: &str) -> Result<Option<HubRow>, sqlx::Error> {
    // The name of a schema of ours has letters, digits and underscores alone.
    let sql = format!(
        "SELECT url, (extract(epoch FROM now() - seen) * 1000)::bigint, summary::text FROM {schema}.hubs \
         ORDER BY role = 'active' DESC, seen DESC LIMIT 1"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .fetch_optional(pool)
        .await
}

fn last_reading(row: LastReading) -> Option<Reading> {
    let (mac, at, voltage, current, frequency, power, counter) = row;
    let mac: Mac = mac.parse().ok()?;
    let row = (at, voltage, current, frequency, power, counter, None, None);
    match reading(mac, row)? {
        HistoryRow::Reading(reading, _) => Some(reading),
        HistoryRow::Minute(_) | HistoryRow::Quarter(_) => None,
    }
}
