"""What people of the shop wrote down about talks with customers, and what they mean to do."""

#: kind, direction, subject, text, minutes, outcome: about deals
SALES_TALKS = [
    (
        "call",
        "out",
        "First call",
        "Introduced ourselves. They play music all day and pay for a licence they don't like. "
        "Interested in a curated selection; wants examples.",
        12,
        "Wants an offer",
    ),
    (
        "call",
        "out",
        "Follow-up on our offer",
        "Has read it. Price is fine, delivery date matters more: opening is in "
        "six weeks. Will talk to the owner.",
        9,
        "Call again",
    ),
    (
        "meeting",
        "",
        "Visit at their place",
        "Walked through the rooms, counted speakers, took photos. They want two "
        "listening stations by the window and a shelf of new releases.",
        55,
        "Good talk",
    ),
    (
        "email",
        "out",
        "Our offer",
        "Sent the offer with three options and the price list for reorders. Valid for four weeks.",
        None,
        "Sent",
    ),
    (
        "email",
        "in",
        "Questions about the contract",
        "Asks whether the quantity can change each month and who pays for returns.",
        None,
        "Answer needed",
    ),
    (
        "note",
        "",
        "Who decides",
        "The manager chooses, but the finance manager signs everything above 5,000. Bring both to the "
        "next talk.",
        None,
        "",
    ),
    (
        "call",
        "in",
        "Asked about terms of payment",
        "Wants 60 days instead of 30. Agreed on 45 if the first order is above 3,000.",
        14,
        "Agreed",
    ),
    (
        "meeting",
        "",
        "Presentation for the team",
        "Six people, many questions about classical music. The music director is on our "
        "side, the buyer compares with a discounter.",
        70,
        "Second meeting",
    ),
    ("call", "out", "No answer", "Tried twice, left a message.", 1, "No answer"),
    (
        "note",
        "",
        "Competitor in play",
        "They have an offer from somebody else, ten per cent below ours, without returns.",
        None,
        "",
    ),
]
#: about orders and troubles
SUPPORT_TALKS = [
    (
        "email",
        "in",
        "Where is my parcel?",
        "Order should have come last week. Tracking has not changed for five days.",
        None,
        "Traced the parcel",
    ),
    (
        "call",
        "in",
        "Wrong CD in the parcel",
        "Got the live album instead of the studio one. Friendly about it. Sent the right one "
        "today and a label for the return.",
        7,
        "Replacement sent",
    ),
    ("chat", "in", "Voucher does not work", "Voucher had expired the day before. Renewed it.", 5, "Solved"),
    (
        "email",
        "in",
        "Scratched disc",
        "Third track skips. Asked for a photo, then refunded without a return.",
        None,
        "Refunded",
    ),
    ("call", "in", "Change of address", "Moved house; next order goes to the new address.", 4, "Solved"),
    (
        "chat",
        "in",
        "Can I return an opened box set?",
        "Explained the 30 days. Customer keeps it for now.",
        8,
        "Answered",
    ),
    (
        "call",
        "in",
        "Charged twice",
        "Card shows two bookings, one of them a reservation that falls off by itself. Promised to check "
        "on Friday.",
        11,
        "Call again",
    ),
    (
        "email",
        "in",
        "Looking for a rare pressing",
        "Wants the 1959 mono pressing. Asked two dealers, one has it in good condition.",
        None,
        "Offer sent",
    ),
]
#: to loyal customers and to lapsed ones
CARE_TALKS = [
    (
        "call",
        "out",
        "Thank-you call",
        "Called to say thank you for years of orders. Was surprised and happy, told about a jazz evening "
        "at the library.",
        10,
        "Happy",
    ),
    (
        "email",
        "out",
        "New releases you may like",
        "Hand-picked list after the last three orders.",
        None,
        "Sent",
    ),
    (
        "call",
        "out",
        "Haven't seen you for a while",
        "Has moved to streaming for daily music, still buys vinyl as gifts. Send the Christmas list.",
        8,
        "Keep in touch",
    ),
    ("note", "", "Collects Blue Note", "Wants to be told first about reissues.", None, ""),
    (
        "visit",
        "in",
        "Came by the shop",
        "Picked up an order in person and stayed for an hour.",
        60,
        "Good talk",
    ),
    (
        "social",
        "in",
        "Recommended us in public",
        "Wrote a long post about our packing. Said thank you.",
        None,
        "Answered",
    ),
]
#: (title, kind, priority) of tasks about deals, and about customers
DEAL_TASKS = [
    ("Send the revised offer", "email", "high"),
    ("Call about the decision", "call", "normal"),
    ("Prepare the presentation", "todo", "normal"),
    ("Agree on a delivery date", "call", "normal"),
    ("Ask finance for terms of payment", "todo", "low"),
    ("Meet the owner on site", "meeting", "high"),
    ("Follow up after the visit", "follow_up", "normal"),
]
CUSTOMER_TASKS = [
    ("Call back about the double charge", "call", "high"),
    ("Send the list of reissues", "email", "low"),
    ("Ask how the replacement arrived", "follow_up", "normal"),
    ("Invite to the jazz evening", "email", "normal"),
    ("Check the address with the carrier", "todo", "normal"),
    ("Say thank you for the recommendation", "call", "low"),
    ("Win back: offer a listening hour", "follow_up", "normal"),
]
