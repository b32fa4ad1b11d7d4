//! History that moves from one plug to another, or is deleted.

/// Defines `delete_history` and `continue_history` on connections of one database. `$move_rows` are its statements that move the
/// rows of series `$2` to series `$1`, one for each table of history.
macro_rules! transfer {
    ($connection:ty, $move_rows:expr) => {
        use hiflying::Mac;

        use crate::store::records::{
            CONTINUE_LIFETIME, DELETE_SERIES, RENAME_SERIES, SERIES_OF, TAKE_LIFETIME,
        };

        /// Deletes a plug's history and lifetime total.
        pub(super) async fn delete_history(
            connection: &mut $connection,
            plug: Mac,
        ) -> Result<(), sqlx::Error> {
            if let Some(series) = series(connection, plug).await? {
                delete_series(connection, series).await?;
            }
            Ok(())
        }

        /// Continues the history and the total of `old` under `new`, whose counter is the new reference. The series of `old`
        /// stays and takes the rows of `new`, which usually has fewer.
        pub(super) async fn continue_history(
            connection: &mut $connection,
            old: Mac,
            new: Mac,
        ) -> Result<(), sqlx::Error> {
            let Some(old) = series(connection, old).await? else {
                return Ok(());
            };
            let absorbed = series(connection, new).await?;
            if absorbed == Some(old) {
                return Ok(());
            }
            // Without a total of `old`, that of `new` is kept.
            for sql in [CONTINUE_LIFETIME, TAKE_LIFETIME] {
                let query = sqlx::query(sql).bind(old).bind(absorbed);
                if query.execute(&mut *connection).await?.rows_affected() > 0 {
                    break;
                }
            }
            if let Some(new) = absorbed {
                for sql in $move_rows {
                    let query = sqlx::query(sql).bind(old).bind(new);
                    query.execute(&mut *connection).await?;
                }
                delete_series(connection, new).await?;
            }
            let query = sqlx::query(RENAME_SERIES)
                .bind(format!("{new:x}"))
                .bind(old);
            query.execute(connection).await?;
            Ok(())
        }

        async fn delete_series(
            connection: &mut $connection,
            series: i64,
        ) -> Result<(), sqlx::Error> {
            for sql in DELETE_SERIES {
                let query = sqlx::query(sql).bind(series);
                query.execute(&mut *connection).await?;
            }
            Ok(())
        }

        async fn series(
            connection: &mut $connection,
            plug: Mac,
        ) -> Result<Option<i64>, sqlx::Error> {
            let query = sqlx::query_scalar(SERIES_OF).bind(format!("{plug:x}"));
            query.fetch_optional(connection).await
        }
    };
}
pub(super) use transfer;
