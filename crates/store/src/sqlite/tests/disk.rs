use carillon_domain::ErrorCode;

use super::super::thread::Writer;
use super::*;

/// Lets the file grow by no more than `pages`; `None`: as it likes.
async fn limit(f: &Fixture, pages: Option<i64>) {
    let set = move |writer: &mut Writer| {
        let conn = &writer.conn;
        let now: i64 = conn.query_row("PRAGMA page_count", [], |r| r.get(0))?;
        let most = pages.map_or(1_000_000_000, |pages| now + pages);
        conn.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(()))?;
        Ok(())
    };
    f.store.thread.run(set).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_in_the_middle_of_a_group_leaves_nothing_of_it() {
    let f = fixture().await;
    f.accept(f.mail(held(1))).await;
    limit(&f, Some(8)).await;
    let group: Vec<_> = (0..300).map(|n| keyed(vec![f.mail(held(n + 2))], &format!("k{n}"), 1)).collect();
    let answers = f.store.accept(&group).await;
    assert_eq!(answers.len(), 300);
    for answer in answers {
        let error = answer.unwrap_err();
        assert_eq!((error.code, error.detail.as_str()), (ErrorCode::Unavailable, "disk full; nothing was accepted"));
    }
    for (table, rows) in [("notifications", 1), ("queue", 1), ("events", 1), ("idem", 0)] {
        assert_eq!(f.count(table).await, rows, "{table}");
    }
    limit(&f, None).await;
    assert!(f.store.accept(&group).await.iter().all(Result::is_ok));
    assert_eq!(f.count("queue").await, 301);
}

#[tokio::test]
async fn the_ballast_is_laid_and_given_up() {
    let f = fixture().await;
    let ballast = f.folder.path().join("carillon.ballast");
    assert_eq!(std::fs::metadata(&ballast).unwrap().len(), 16 * 1024 * 1024);
    let items: Vec<_> = (0..300).map(|n| f.mail(held(n))).collect();
    limit(&f, Some(2)).await;
    assert!(f.store.accept(&[unit(items)]).await[0].is_err());
    assert!(!ballast.exists());
    limit(&f, None).await;
    tokio::time::sleep(Duration::from_millis(120)).await;
    f.accept(f.mail(held(1))).await;
    assert!(ballast.exists(), "there is room: it is laid again");
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_let_two_write_at_once() {
    let f = fixture().await;
    let slow = f.store.thread.run(|writer| {
        writer.transact(|_| {
            std::thread::sleep(Duration::from_millis(50));
            Ok(())
        })
    });
    assert!(tokio::time::timeout(Duration::from_millis(5), slow).await.is_err());
    f.accept(f.mail(held(1))).await;
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_stopped() {
    let f = fixture().await;
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let read = f.store.readers.read(move |conn| Ok(conn.query_row(endless, [], |r| r.get::<_, i64>(0))?)).await;
    assert_eq!(read.unwrap_err().code, ErrorCode::DeadlineExceeded);
    assert_eq!(f.count("queue").await, 0, "the reader works on");
}

#[tokio::test]
async fn a_defect_in_one_task_leaves_the_others_alone() {
    let f = fixture().await;
    let defect = f.store.thread.run(|writer| {
        writer.transact(|conn| {
            conn.execute("DELETE FROM sequences", [])?;
            if conn.is_autocommit() { Ok(()) } else { panic!("a defect") }
        })
    });
    assert_eq!(defect.await.unwrap_err().code, ErrorCode::Internal);
    assert_eq!(f.count("sequences").await, 2, "rolled back");
    f.accept(f.mail(held(1))).await;
    for _ in 0..4 {
        let read = f.store.readers.read(|conn| if conn.is_autocommit() { Ok(()) } else { panic!("a defect") });
        assert_eq!(read.await.unwrap_err().code, ErrorCode::Internal);
    }
    assert_eq!(f.count("queue").await, 1);
}
