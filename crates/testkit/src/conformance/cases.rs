//! The list of cases, once: what it makes of them is the caller's.

/// Calls the macro `$with` with `module { case [methods it proves]… }…`.
#[macro_export]
macro_rules! conformance_cases {
    ($with:ident) => {
        $with! {
            intake {
                an_accepted_notification_is_there_with_its_work_and_its_story [accept notification_get notification_timeline]
                what_is_accepted_reads_back_exactly [accept]
                content_of_any_size_is_rendered_from_again [accept notification_payload]
                a_message_for_the_inbox_is_delivered_by_the_commit [accept]
                ids_rise_and_are_never_handed_out_twice [ids]
                the_same_request_with_the_same_key_happens_once [accept]
                a_key_used_with_another_request_is_told_apart [accept]
                keys_are_the_tenants_own [accept]
                the_same_key_twice_in_one_group_is_stored_once [accept]
                a_poisoned_unit_is_answered_alone [accept]
                a_batch_of_a_thousand_is_one_unit [accept]
                swept_keys_may_be_used_again_and_younger_ones_stay [idempotency_sweep]
                sixteen_at_once_with_one_key_make_one [accept]
            }
            queue {
                a_row_that_is_born_leased_is_not_claimable [claim]
                a_spilled_row_is_claimed_once [claim]
                a_claim_says_all_that_delivering_needs [claim]
                a_row_that_gets_no_place_stays_in_the_table [claim]
                a_claim_takes_one_channel_one_priority_and_no_more_than_asked [claim]
                a_claim_is_fair_over_tenants [claim]
                a_deleted_tenants_rows_are_no_longer_claimed [claim tenant_delete]
                a_scheduled_one_waits_for_its_time_and_its_promotion [promote claim]
                a_promotion_takes_the_most_urgent_first [promote]
                a_released_row_is_ready_again_and_its_old_hold_is_void [release]
                the_retry_budget_comes_back_with_the_next_claim [claim]
                eight_claimers_at_once_get_each_row_once [claim]
                the_gauges_count_what_waits_in_each_state [queue_depth]
                a_store_that_works_answers_a_ping [ping]
            }
            outcomes {
                a_sent_one_is_out_of_the_queue_and_says_by_whom [finish]
                the_sandbox_copy_is_stored_with_the_outcome [finish sandbox_list]
                a_retry_waits_until_it_is_due [finish]
                a_retry_that_is_due_is_ready_at_once [finish]
                a_failed_one_is_a_dead_letter [finish dead_letter_get dead_letter_list]
                one_on_hold_is_unknown_and_parked [finish]
                a_stale_hold_changes_nothing [finish]
                an_outcome_is_written_once [finish]
                a_lost_lease_does_not_spoil_its_neighbours [finish]
                a_late_acceptance_settles_what_was_unknown [finish]
                a_lost_sandbox_outcome_had_no_effect [finish rescue]
                nothing_to_write_is_no_mistake [finish release accept]
            }
            cancelling {
                a_cancelled_notification_leaves_no_work_behind [notification_cancel]
                a_scheduled_one_that_is_cancelled_never_becomes_due [notification_cancel]
                cancelling_twice_is_no_mistake_and_one_event [notification_cancel]
                what_a_provider_may_have_cannot_be_cancelled [notification_cancel]
                a_row_behind_the_frontier_is_cancelled_in_memory_too [notification_cancel finish]
                a_frontier_never_moves_back [notification_cancel]
                a_cancel_and_a_raise_at_once_are_one_or_the_other [notification_cancel]
                a_row_cancelled_in_memory_is_claimed_anew_after_it_was_dropped [notification_cancel]
            }
            ordering {
                the_second_of_a_key_waits_until_the_first_has_finished [accept finish]
                a_blocked_row_does_not_take_the_hold_it_was_offered [accept finish]
                order_holds_over_units_and_groups [accept finish]
                keys_of_other_words_and_other_tenants_do_not_wait [accept finish]
                a_cancelled_hole_does_not_block [notification_cancel]
                a_cancelled_head_lets_the_next_pass [notification_cancel]
                a_head_that_is_given_up_lets_the_next_pass [accept finish]
                a_retrying_head_keeps_its_place [finish heal_ordering]
                a_scheduled_head_holds_its_key_until_it_is_due [accept finish]
                a_restart_keeps_the_order [begin rescue]
                a_retried_one_joins_the_end_of_its_key [notification_retry]
                two_completers_at_once_leave_no_lane_stuck [heal_ordering]
            }
            leases {
                a_living_process_keeps_its_lease [heartbeat rescue]
                what_a_dead_process_surely_did_not_send_is_ready_again [begin end rescue]
                what_a_dead_process_may_have_sent_is_sent_again_and_says_so [begin end rescue]
                what_a_dead_process_may_have_sent_is_parked_if_the_account_says_hold [begin end rescue]
                a_rescue_tells_what_is_in_doubt_and_with_whom [begin rescue]
                what_cannot_be_in_doubt_is_simply_done_again [begin end rescue]
                an_outcome_of_an_earlier_epoch_is_lost [begin finish release]
                a_fenced_process_writes_nothing [heartbeat rescue finish accept]
                two_processes_never_take_the_same_ids_or_rows [ids finish release]
                a_cancel_in_one_process_is_dropped_by_the_other [notification_cancel finish]
            }
            reading {
                another_tenants_notification_is_not_found [notification_get notification_cancel notification_retry notification_mark_read notification_payload notification_timeline notification_list dead_letter_list dead_letter_get]
                an_outcome_in_another_tenants_name_reveals_nothing [finish]
                an_outcome_in_another_tenants_name_changes_nothing [finish]
                what_does_not_exist_is_not_found [notification_get notification_cancel notification_retry notification_mark_read dead_letter_get]
                an_id_and_a_uuid_name_the_same_notification [notification_get]
                a_list_is_newest_first_and_pages_do_not_overlap [notification_list]
                a_filter_narrows_and_all_its_conditions_hold_together [notification_list]
                paging_skips_and_repeats_nothing_while_others_write [notification_list]
                a_failed_one_can_be_retried_in_a_new_run [notification_retry claim]
                a_cancelled_and_an_unknown_one_can_be_retried_too [notification_retry]
                what_is_under_way_or_has_arrived_cannot_be_retried [notification_retry]
                two_retries_at_once_open_one_run [notification_retry]
                the_first_time_it_was_read_stands [notification_mark_read]
                nobody_reads_what_no_provider_took [notification_mark_read]
                dead_letters_are_filtered_and_paged [dead_letter_list dead_letter_get]
            }
            log {
                the_log_tells_what_happened_once_and_in_order [event_log_end event_log_read]
                a_small_page_goes_on_where_it_ended [event_log_read]
                a_row_given_back_without_a_word_writes_no_event [finish event_log_read]
                a_reader_beside_many_writers_misses_and_repeats_nothing [event_log_read]
                a_cursor_of_nonsense_is_refused [event_log_read]
            }
            months {
                a_turn_of_the_month_loses_nothing_and_happens_once [history_turn]
            }
            templates {
                what_changed_lately_is_told_once_it_is_committed [template_changes]
                a_template_is_found_by_id_uuid_and_code [template_create template_get]
                a_code_is_taken_once_per_tenant_until_it_is_deleted [template_create template_delete]
                templates_are_listed_by_id_in_pages [template_list template_codes]
                a_patch_changes_what_it_names [template_update]
                a_version_reads_back_as_it_was_written [template_version_create template_version_get template_version_list]
                a_draft_takes_localizations_and_a_published_version_does_not [template_localization_put]
                publishing_makes_a_version_current_and_again_rolls_back [template_version_publish]
                a_pinned_version_outlives_its_template [template_version_pinned template_delete]
                another_tenants_template_is_not_found [template_get template_list template_codes template_update template_delete template_version_create template_version_get template_version_pinned template_version_list template_localization_put template_version_publish]
                fifty_versions_made_at_once_are_numbered_without_gaps [template_version_create template_version_list]
            }
            tenants {
                the_first_start_makes_one_tenant_and_one_key_once [first_start api_key_by_hash]
                eight_first_starts_at_once_make_one [first_start]
                a_tenant_is_found_by_id_uuid_and_code [tenant_create tenant_get]
                a_tenants_code_is_unique_until_it_is_deleted [tenant_create tenant_delete]
                a_deleted_tenant_is_gone_and_its_keys_stop_working [tenant_delete api_key_by_hash tenant_update tenant_get]
                tenants_are_listed_by_id_in_pages [tenant_list]
                a_tenants_name_changes_and_nothing_else [tenant_update]
                a_key_reads_back_as_it_was_made [api_key_create api_key_get api_key_by_hash]
                a_revoked_key_stops_working_and_the_first_time_stands [api_key_revoke api_key_list]
                keys_that_ended_lately_are_told [api_keys_ended]
                another_tenants_key_is_not_found [api_key_revoke api_key_get api_key_list]
            }
            sandbox {
                caught_messages_are_listed_newest_first_and_filtered [sandbox_list]
                a_caught_message_is_found_by_its_id_or_its_notification [sandbox_get]
                another_tenants_caught_message_is_not_found_and_not_cleared [sandbox_get sandbox_list sandbox_clear]
                a_trim_keeps_the_newest_of_each_tenant [sandbox_trim]
            }
            model {
                a_row_has_one_live_hold_and_leaves_by_a_visible_end_only [accept claim finish release promote rescue notification_cancel]
            }
        }
    };
}
